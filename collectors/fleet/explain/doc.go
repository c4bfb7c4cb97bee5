// Package explain names what the affected have in common: the few smallest sets (firmware 4.2.1 in network unicom; city
// Chengdu) that account for them. It is pure: counts go in, causes come out.
//
// The unit is the cell: all devices, requests or viewers that agree in every attribute. A cell holds how many of it are
// affected and how many there are. A cause is a conjunction of at most Options.MaxDepth values of different attributes.
package explain
