"""Reads BinXML, the tokens that event records are made of, and renders them: for records no other parser can reach."""
