// Package simulate drives devices that do not exist against a real GOC server, over sockets: a fleet of any size that
// beats on its schedule, and what befalls fleets (a power cut, a bad firmware, links that flap, clocks that run wrong, a
// herd that comes back at once). The same seed makes the same fleet, and the same trouble at the same moments.
//
// A beat is not rendered anew: what it says stands ready in pieces, and a request is put together by copying them. One
// core drives several million beats a second.
package simulate
