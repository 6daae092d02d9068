"""The operations of SES v2, one module per noun. Each module has a table `OPERATIONS`; `table` joins them."""
