package ops

import "slices"

// Role is what a token or session may do.
type Role string

const (
	Viewer    Role = "viewer"    // reads everything
	Responder Role = "responder" // acts on incidents, runs plans and silences
	Commander Role = "commander" // also severity, roles, drills, freezes, approvals and overrides
	Admin     Role = "admin"     // everything, tokens included
	CI        Role = "ci"        // records changes and asks the gate
	Agent     Role = "agent"     // sends heartbeats and voice
	Sender    Role = "sender"    // sends alerts and hooks
)

// Roles lists every role.
var Roles = [...]Role{Viewer, Responder, Commander, Admin, CI, Agent, Sender}

// Valid says whether r is a role.
func (r Role) Valid() bool { return slices.Contains(Roles[:], r) }

// Principal is who does something: a person or a machine, and with which role.
type Principal struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
}

// System is the program itself.
var System = Principal{Name: "goc", Role: Admin}

// May says whether p has one of the roles. An admin may do everything.
func (p Principal) May(roles ...Role) bool {
	return p.Role == Admin || slices.Contains(roles, p.Role)
}
