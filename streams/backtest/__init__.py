"""How well a health score tells who leaves: scores of a labelled history, compared with who has left.

`labelled_scores` scores the rows, `ranking` and `calibration` measure, `weight_fit` looks for better weights,
`backtest_report` puts it together and `backtest_page` draws it. Numbers alone, no files: `streams.health_files` reads.
"""
