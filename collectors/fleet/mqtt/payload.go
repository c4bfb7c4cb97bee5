package mqtt

import (
	"goc/collectors/fleet"
	"goc/ops"
)

// Reasons for which a message is refused before the fleet sees it, as a metric's label says them.
const (
	badTopic     = "topic"        // it is not goc/heartbeat/{store}/{device}
	badPayload   = "payload"      // it is no JSON of one heartbeat
	otherDevice  = "other_device" // the payload names another store or device than its topic
	tooLarge     = "too_large"    // over max_payload
	notItsOwn    = "permission"   // a topic that its sender may not speak on
	notAdmitted  = "credential"   // a login that was refused
	badClientID  = "client_id"    // a client id that is not its user's
	malformed    = "malformed"    // what came is no MQTT 3.1.1
	overflow     = "overflow"     // more waited than may, and the link to the embedded server broke
	tooManyConns = "connections"  // over max_connections
)

// beat makes a heartbeat of a message. Its strings may share memory with the payload's.
func beat(store, device string, payload []byte) (h ops.Heartbeat, reason string) {
	if len(payload) > 0 {
		beats, _, rejected, err := fleet.Decode(payload)
		if err != nil || len(rejected) > 0 || len(beats) != 1 {
			return h, badPayload
		}
		h = beats[0]
	}
	if (h.Store != "" && h.Store != store) || (h.Device != "" && h.Device != device) {
		return h, otherDevice
	}
	h.Store, h.Device = store, device
	return h, ""
}
