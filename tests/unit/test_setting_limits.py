"""Settings that make no sense are refused at the start, by the name of their variable, all together."""

import pytest

from streams.settings import Settings, SettingsMistake


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CARELINE_LOG_LEVEL", "LOUD"),
        ("CARELINE_PARTITIONS", "0"),
        ("CARELINE_PARTITIONS", "many"),
        ("CARELINE_REPLICATION_FACTOR", "-1"),
        ("CARELINE_SESSION_TIMEOUT_SECONDS", "0"),
        ("CARELINE_SESSION_TIMEOUT_SECONDS", "nan"),
        ("CARELINE_REJECTED_LIMIT_RATIO", "1.5"),
    ],
)
def test_a_value_outside_its_limits_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingsMistake, match=variable):
        Settings.from_environment({variable: text})


def test_all_mistakes_are_told_together() -> None:
    with pytest.raises(SettingsMistake) as mistake:
        Settings.from_environment({"CARELINE_LOG_LEVEL": "LOUD", "CARELINE_PARTITIONS": "0"})

    assert len(mistake.value.problems) == 2


def test_levels_are_read_in_any_case_and_an_empty_variable_is_not_set() -> None:
    settings = Settings.from_environment(
        {"CARELINE_LOG_LEVEL": "debug", "CARELINE_POLICIES": "", "CARELINE_KAFKA": " "}
    )

    assert (settings.log_level, settings.policies_file) == ("DEBUG", None)
    assert settings.kafka_servers == Settings().kafka_servers
