"""Backdrop: drop a photo and a small spec into a bucket, find the result in another.

The floors, top to bottom; imports only go down:

    workflow                                         the verbs, the only place that knows the order of steps
    drops inputs results callbacks jobs notices      one concern each; these know AWS, no provider
    providers                                        runflow, backgroundcut, imagepipeline: HTTP, no AWS
    spec catalogue states keys pictures errors settings      pure: no I/O
"""
