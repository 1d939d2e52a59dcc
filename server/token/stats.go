package token

import "iter"

// Stats is what was counted of tokens. A field's tag is all there is to say about it; package
// server/metrics tells what the keys mean.
type Stats struct {
	Accepted uint64        `metric:"tokens_accepted_total" help:"Tokens that were good, of upgrades and renewals."`
	Refused  Refused       `metric:"tokens_refused_total{reason}" help:"Tokens that were not, by what was wrong first; missing are upgrades without one."`
	Spent    uint64        `metric:"limit_hits_total{limit=token_failures}"`
	Full     uint64        `metric:"limit_hits_total{limit=token_waits}"`    // did not wait for a key server
	Crowded  uint64        `metric:"limit_hits_total{limit=token_renewals}"` // found no place to be checked
	Panics   uint64        `metric:"panics_total{where=token}"`
	Sources  []SourceStats // where keys come from
}

// Refused counts by Reason.
type Refused [Reasons]uint64

// All are the counts by their reasons.
func (c *Refused) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, n := range c {
			if !yield(reasonNames[i], n) {
				return
			}
		}
	}
}

// SourceStats is what is known of a file or a key server.
type SourceStats struct {
	Name     string `label:"source"` // without what may be secret in an address
	Keys     int    `metric:"token_keys{source}" help:"Keys in force from a file or a key server."`
	Reads    uint64 `metric:"token_key_reads_total{source}" help:"Times that keys were read or fetched."`
	Failures uint64 `metric:"token_key_failures_total{source}" help:"Of these, those that failed: the keys before stay in force."`
	Withdrew uint64 `metric:"token_keys_withdrawn_total{source}" help:"Times that a key set had no key that can be used any more: tokens of those before are refused."`
	ReadAt   int64  `metric:"token_keys_timestamp_seconds{source}" help:"When keys were last read well; 0: never."`
}

// Stats is what was counted so far.
func (c *Checker) Stats() Stats {
	st := Stats{Accepted: c.counts.accepted.Load(), Full: c.counts.full.Load(), Panics: c.counts.panics.Load()}
	for i := range c.counts.refused {
		st.Refused[i] = c.counts.refused[i].Load()
	}
	for _, s := range c.sources {
		st.Sources = append(st.Sources, SourceStats{
			Name: s.name, Keys: len(s.all()), Reads: s.reads.Load(), Failures: s.failures.Load(),
			Withdrew: s.withdrawals.Load(), ReadAt: s.readAt.Load(),
		})
	}
	return st
}
