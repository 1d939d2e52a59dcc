package token

import (
	"context"
	"sync/atomic"
)

// maxTries is how many keys are tried for one token: a check costs up to half a millisecond.
const maxTries = 16

// ring is the keys of one issuer, from one source or several.
type ring struct{ sources []*source }

// waiter is how a token waits for key servers.
type waiter struct {
	ctx  context.Context // of who waits
	life context.Context // of the keys
	may  func() bool     // asked before, once; nil: yes
	full *atomic.Uint64  // counts those that did not because too many do
}

// candidates are the keys that a token of this algorithm and kid may be signed with, one at
// least and maxTries at most. "" is no kid. Key servers are asked for a kid that is unknown,
// and where there are no keys yet.
func (r *ring) candidates(w waiter, algorithm, kid string) ([]any, *RefusedError) {
	keys, known, failure := r.find(algorithm, kid)
	if !known && r.ask(w, kid) {
		keys, _, failure = r.find(algorithm, kid)
	}
	if failure != nil {
		return nil, failure
	}
	return keys, nil
}

// ask has the sources fetched anew that may know better, and reports whether there were any.
func (r *ring) ask(w waiter, kid string) (asked bool) {
	for _, s := range r.sources {
		if !s.remote() || kid == "" && len(s.all()) > 0 {
			continue
		}
		if !asked && w.may != nil && !w.may() {
			return false
		}
		asked = true
		if !s.ask(w.ctx, w.life) {
			w.full.Add(1)
		}
	}
	return asked
}

// find looks at the keys that are there. known says that asking for more is useless: a key
// of that kid is there, or, of a token without one, any for its algorithm.
func (r *ring) find(algorithm, kid string) (keys []any, known bool, failure *RefusedError) {
	had, some, fits := true, false, false
	for _, s := range r.sources {
		had = had && s.keys.Load() != nil
		for _, k := range s.all() {
			some = true
			if k.algorithm != algorithm {
				known = known || kid != "" && k.kid == kid // of another kind, and that is final
				continue
			}
			fits = true
			if kid != "" && k.kid != "" && k.kid != kid {
				continue
			}
			known = known || k.kid == kid
			keys = append(keys, k.verify)
		}
	}
	switch {
	case len(keys) > maxTries:
		return nil, true, &RefusedError{UnknownKey, "the token has no kid, and there are too many keys to try them all"}
	case len(keys) > 0:
		return keys, known, nil
	case !had:
		return nil, known, refused(Unavailable)
	case fits, !some:
		return nil, known, refused(UnknownKey)
	}
	return nil, known, refused(Algorithm)
}
