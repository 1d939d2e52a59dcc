package door

import (
	"iter"
	"maps"
	"slices"
)

// Stats is what became of connections before they came to a loop, since the start, and what
// is there now. A field's tag is all there is to say about it; package server/metrics tells
// what the keys mean.
type Stats struct {
	TLSFull       uint64 `metric:"tls_handshakes_total{result=full}" help:"TLS handshakes done: full, resumed from a ticket, or an authority's question (challenge)."`
	TLSResumed    uint64 `metric:"tls_handshakes_total{result=resumed}"`
	TLSChallenges uint64 `metric:"tls_handshakes_total{result=challenge}"`
	TLSFailed     Counts `metric:"tls_handshake_failures_total{reason}" help:"TLS handshakes that failed."`
	Proxied       Counts `metric:"proxy_headers_total{outcome}" help:"Connections where the PROXY protocol is spoken, by what their header was."`

	Arrived uint64 `metric:"road_arrived_total" help:"Connections that came through TLS or the PROXY protocol to the loops."`
	Full    uint64 `metric:"limit_hits_total{limit=max_handshakes_tls}"` // closed for too many before them
	Pending int    `metric:"road_connections" help:"Connections in their TLS handshake or whose PROXY header is awaited."`
	// AcceptErrors are of listeners with a road; the others' are the loops'.
	AcceptErrors uint64 `metric:"accept_errors_total"`

	CertificateExpiry int64 `metric:"tls_certificate_expiry_timestamp_seconds" help:"When the first certificate in use ends; 0 without any."`
}

// Counts are counters that belong together, by their label.
type Counts map[string]uint64

// All are the counters, in the order of their labels.
func (c Counts) All() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for _, label := range slices.Sorted(maps.Keys(c)) {
			if !yield(label, c[label]) {
				return
			}
		}
	}
}
