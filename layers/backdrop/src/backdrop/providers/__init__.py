"""The paid APIs, one file each: HTTP and one provider's words, no AWS. `base` says what each promises."""
