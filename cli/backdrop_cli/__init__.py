"""The command `backdrop` for a laptop: an embedded stack, a provider sandbox, a demo, a check of specs.

    main                                     the commands
    demo live validate                       what each does
    stack                                    the deployed system in one process
    drivers listener lambdas aws             what wakes the functions, how they are called, where they store
    template cloudformation                  names and settings, read from template.yaml
    sandbox pixels photos sheet              the providers' twin, its pictures, sample photos, the contact sheet

Imports only go down; the library never imports any of it.
"""
