"""How good the scores are, measured on a simulated company whose truth is known.

`judged_life` runs the real agents in memory, `risk_days` has what every account was thought to risk each day, by the
score and by naive measures, `warnings_given` and `outage_noticed` compare that with the truth, and `truth_report` puts
it together for `careline health truth`.
"""
