"""Where interactions and signals enter: from a channel's payload to a canonical event in Kafka.

One event on its way in: `web_server` reads the raw request, `intake` asks the connector that is responsible for the
route whether the sender is genuine (`signatures`) and what the payload says (`zendesk_channel`, `webhook_generic`,
`cloudevents_http`), lets `accounts_directory` say whose it is, and `publisher` puts it into Kafka before the sender
hears 2xx.

A new connector is one module that fulfils `connector_contract` plus one entry in `connector_registry`.
"""
