"""Picture work of the provider sandbox: cut a subject out and set it on something else.

Promises classical computer vision only (no model weights), pure functions of bytes, and `UnreadablePhoto` as
the one error for bytes that are no usable photo. Refuses nothing else: a photo without a subject still gives a
picture.
"""
