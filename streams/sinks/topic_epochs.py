"""Counts the lives of a topic: Kafka gives a topic that is deleted and created anew another id, and offsets begin at 0.

Without it a new topic's rows would look older than the old one's, and its batches like some that were written already.
`sink_loop` asks once per topic at its start; the epoch is part of every version and every deduplication token.
"""

from clickhouse_connect.driver.client import Client


def epoch_of(client: Client, topic: str, topic_id: str) -> int:
    """The epoch of a topic, 1 for the first; a new id gets the next one and is remembered."""
    known = {
        str(known_id): int(epoch)
        for known_id, epoch in client.query(
            "SELECT topic_id, epoch FROM topic_epochs FINAL WHERE topic = {topic:String}", parameters={"topic": topic}
        ).result_rows
    }
    if topic_id in known:
        return known[topic_id]
    epoch = max(known.values(), default=0) + 1
    client.insert(
        "topic_epochs",
        [[topic, topic_id, epoch]],
        column_names=["topic", "topic_id", "epoch"],
        settings={"async_insert": 0},
    )
    return epoch
