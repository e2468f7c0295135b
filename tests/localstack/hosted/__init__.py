"""Backdrop's template on LocalStack, as plain processes of this machine: no Docker, no AWS account.

children     processes that end with whoever started them (minder: their keeper)
server       LocalStack itself, on the loopback, in a folder of its own
executor     its plug-in that runs the deployed zips and layers; runtime_api: the Lambda Runtime API for them
services     its plug-ins that keep the tables in memory and name the API
containers   LocalStack in a container instead, where there is Docker
deployment   sam build and sam deploy of template.yaml, its outputs and the keys
readme       the README's deploy section, walked at a terminal (terminal) in a copy of the checkout
stage        the deployed stack with the provider sandbox, as scenarios use it
fixtures     all of it for pytest; drawing: the sample photos
__main__     all of it for another program, until that ends
"""
