"""A simulated company: customers who write, people who answer, and a clock that runs faster than ours.

`simulated_company` and `scenario_table` are the data, `conversation_script` and `story` make events of them without any
clock, `company_runner` lets them happen in real time. `careline simulate` and `careline demo` use it.
"""
