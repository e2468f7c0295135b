"""The command `backdrop` for a laptop: an embedded stack, a provider sandbox, a demo, a check of specs.

    main                                         the commands
    demo live validate                           what each does
    plans samples watch outfolder                what a demo drops, how far it is, where its results go
    stack                                        the deployed system in one process
    drivers listener gateway lambdas aws         what wakes the functions, how they are called, where they store
    template parts cloudformation                names and settings, read from template.yaml
    sandbox pixels photos sheet                  the providers' twin, its pictures, sample photos, the contact sheet

Imports only go down; the library never imports any of it.
"""
