"""A second, plain and slow implementation of calendars and clocks, and the random cases on which it meets the product.

It shares no code with `agents.domain`: zones come from `zoneinfo`, everything else is written here anew from the rules.
"""
