// Package ops holds the nouns that more than one room of GOC needs: scopes, alerts, changes, incidents, devices, plans,
// drills, and what it takes to make a change of state durable. It does no I/O, owns no clock and starts no goroutine.
//
// JSON field names are those of the public contract; a type's zero value marshals to something a client can read.
package ops
