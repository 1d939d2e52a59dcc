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

	// HTTPChallenges are an authority's questions by HTTP-01.
	HTTPChallenges uint64 `metric:"acme_http_challenges_total" help:"Questions of a certificate authority answered over plain HTTP."`

	Arrived uint64 `metric:"road_arrived_total" help:"Connections that came through TLS, the PROXY protocol, a rate or the reading of their head to what serves them."`
	NoHead  uint64 `metric:"road_heads_refused_total" help:"Connections whose request's head was too large, or too late, where it has to be read before a loop has them."`
	Panics  uint64 `metric:"panics_total{where=road}"`

	TooFast       uint64 `metric:"limit_hits_total{limit=handshake_rate}"`
	TooFastPerIP  uint64 `metric:"limit_hits_total{limit=handshake_rate_per_ip}"`
	RateAddresses int    `metric:"handshake_rate_addresses" help:"Addresses that the rate of new connections is counted for."`

	Full    uint64 `metric:"limit_hits_total{limit=max_handshakes_tls}"` // closed for too many before them
	Pending int    `metric:"road_connections" help:"Connections in their TLS handshake, or whose PROXY header or request's head is awaited."`
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
