// Package mqtt takes heartbeats over MQTT: from an embedded server that devices connect to, and from brokers that
// others run, where it is one of a shared subscription.
//
// Topics are goc/heartbeat/{store}/{device}; the payload is a heartbeat's JSON without those two fields, or empty.
//
// What an acknowledgement means. A PUBACK (QoS 1), and a PUBCOMP (QoS 2), are sent when Receive has returned: the beat
// is in the fleet's table, and what it changed of a device's state or facts is on disk. Nothing lies in a queue on disk
// in between, so there is nothing to replay: what was not acknowledged is the device's, or the broker's, to send again.
// A beat that is refused is acknowledged too, for it would be no better a second time; it is counted by its reason.
//
// How the embedded server (NATS) comes to that: it acknowledges a QoS 1 message once somebody has answered its request
// to store it, on $MQTT.msgs.{subject}. By itself that is a JetStream stream; here it is this package, which answers
// after Receive. The server's own streams (sessions, retained messages, QoS 2) are made beforehand, in memory and with
// bounds. TestAckMeansInTheTable holds the pinned version of the server to this.
//
// Everything is bounded: connections, a device's connections, a payload, the messages that wait, and the sessions. Where
// too many messages wait the server slows down who publishes, and in the end drops what waits, unacknowledged, and counted.
package mqtt
