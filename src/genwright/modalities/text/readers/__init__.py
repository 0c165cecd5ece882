"""One module per way that files hold documents."""
