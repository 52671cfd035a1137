"""Just enough of ClickHouse's grammar to split a script into statements and to see which words a statement uses.

`migrations_runner` splits its files with it, `sql_service` refuses with it what the engine itself would not refuse.
Comments and quoted text are told apart as ClickHouse does: `--`, `#!`, `/* */`; `'`, `"` and a backtick, escaped by a
backslash or by doubling.
"""

import re

_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | \#[ !][^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<quoted>  '(?:[^'\\]|\\.|'')*(?:'|\Z) | "(?:[^"\\]|\\.|"")*(?:"|\Z) | `(?:[^`\\]|\\.|``)*(?:`|\Z) )
    | (?P<heredoc> \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<end>     ; )
    | (?P<word>    [A-Za-z_]\w* )
    | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)


def split_statements(script: str) -> list[str]:
    """The statements of a script without their semicolons; comments stay, empty statements go."""
    statements: list[str] = []
    start = 0
    has_content = False
    for token in _TOKEN.finditer(script):
        if token.lastgroup == "end":
            if has_content:
                statements.append(script[start : token.start()].strip())
            start, has_content = token.end(), False
        elif token.lastgroup != "comment" and not token.group().isspace():
            has_content = True
    if has_content:
        statements.append(script[start:].strip())
    return statements


def words(statement: str) -> list[str]:
    """The bare words of a statement in capitals: keywords and unquoted names, in order."""
    return [token.group().upper() for token in _TOKEN.finditer(statement) if token.lastgroup == "word"]
