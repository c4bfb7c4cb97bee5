// Package evaluation measures how well suspects are ranked. It makes whole histories of chains that do not exist (there
// is no public data with stores, devices, prices or firmware), runs them and recorded ones through the engine, and
// counts: how often the guilty change comes first, how often an innocent one is accused, and whether a suspect shown at
// 80 % is right eight times in ten. It has no clock, disk or network: a seed makes the same history on any machine.
//
// The generator knows nothing of the ranking: its lags, effects and rates are drawn from distributions of its own, which
// docs/suspects.md lists.
package evaluation
