//go:build race

package conformance

// raceEnabled makes everything some ten times slower: large messages are smaller then, and
// the odd pieces are left to make conformance.
const raceEnabled = true
