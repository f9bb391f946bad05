"""A receipt in the forms that other systems read. Each is a pure function; only the receipt itself is proof."""
