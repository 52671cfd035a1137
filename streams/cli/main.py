"""The whole command line: every command and where it stands in `careline --help`.

A command family is a file beside this one; it imports what it needs when it runs, so that `--help` is fast.
`streams.cli.command_line` comes here, except for what starts without the others.
"""

from streams.cli.accounts_commands import accounts_app
from streams.cli.accounts_forget_command import forget
from streams.cli.backfill_command import connect_backfill
from streams.cli.care_command import care
from streams.cli.connect_check_command import connect_check
from streams.cli.connect_command import connect_app
from streams.cli.connect_explain_command import connect_explain
from streams.cli.demo_command import demo
from streams.cli.doctor_command import doctor
from streams.cli.enrich_command import enrich
from streams.cli.health_backtest_command import health_backtest
from streams.cli.health_commands import health_app
from streams.cli.health_explain_command import health_explain
from streams.cli.health_publish_command import health_publish
from streams.cli.health_run_command import health_run
from streams.cli.health_truth_command import health_truth
from streams.cli.health_word_commands import health_done, health_override, health_plays, health_pulse
from streams.cli.import_command import import_history
from streams.cli.issues_commands import issues_app
from streams.cli.issues_rules_commands import issues_check, issues_publish
from streams.cli.policy_commands import policy_app
from streams.cli.policy_diff_command import diff
from streams.cli.policy_explain_command import explain
from streams.cli.policy_publish_command import publish
from streams.cli.policy_run_command import policy_run
from streams.cli.rejected_commands import rejected_app
from streams.cli.root_command import root_app
from streams.cli.simulate_command import simulate
from streams.cli.sink_commands import migrate, sink, sql
from streams.cli.topics_commands import topics_app
from streams.cli.work_command import work

app = root_app()
app.command("demo", rich_help_panel="Try")(demo)
app.command("simulate", rich_help_panel="Try")(simulate)
app.add_typer(connect_app, rich_help_panel="Run")
connect_app.command("check")(connect_check)
connect_app.command("explain")(connect_explain)
connect_app.command("backfill")(connect_backfill)
app.command("work", rich_help_panel="Run")(work)
app.command("enrich", rich_help_panel="Run")(enrich)
app.command("sink", rich_help_panel="Run")(sink)
app.command("sql", rich_help_panel="Ask")(sql)
app.command("care", rich_help_panel="Ask")(care)
app.command("import", rich_help_panel="Run")(import_history)
app.add_typer(policy_app, rich_help_panel="Promise")
policy_app.command("run")(policy_run)
policy_app.command("explain")(explain)
policy_app.command("diff")(diff)
policy_app.command("publish")(publish)
app.add_typer(health_app, rich_help_panel="Promise")
health_app.command("run")(health_run)
health_app.command("explain")(health_explain)
health_app.command("backtest")(health_backtest)
health_app.command("truth")(health_truth)
app.add_typer(issues_app, rich_help_panel="Ask")
issues_app.command("check")(issues_check)
issues_app.command("publish")(issues_publish)
health_app.command("publish")(health_publish)
health_app.command("override")(health_override)
health_app.command("pulse")(health_pulse)
health_app.command("plays")(health_plays)
health_app.command("done")(health_done)
app.add_typer(accounts_app, rich_help_panel="Look after")
accounts_app.command("forget")(forget)
app.add_typer(topics_app, rich_help_panel="Look after")
app.command("migrate", rich_help_panel="Look after")(migrate)
app.add_typer(rejected_app, rich_help_panel="Look after")
app.command("doctor", rich_help_panel="Look after")(doctor)
