package server

import "groupcast/server/door"

// onRoad is how many connections are on their way to the loops.
func (r *roads) onRoad() (n int) {
	for _, one := range []*door.Road{r.secured, r.plain} {
		if one != nil {
			n += one.Counters().Pending
		}
	}
	return n
}

// roadStats is what metrics tell of the roads; nil where there is none.
func (s *Server) roadStats() *door.Stats {
	r := &s.roads
	all := r.all()
	if len(all) == 0 {
		return nil
	}
	st := &door.Stats{AcceptErrors: s.roadAcceptErrors.Load(), HTTPChallenges: s.httpChallenges.Load()}
	for _, one := range all {
		c := one.Counters()
		st.Arrived, st.Full, st.Pending = st.Arrived+c.Arrived, st.Full+c.Full, st.Pending+c.Pending
		st.NoHead, st.Panics = st.NoHead+c.NoHead, st.Panics+c.Panics
	}
	if r.rate != nil {
		c := r.rate.Counters()
		st.TooFast, st.TooFastPerIP, st.RateAddresses = c.RefusedInAll, c.RefusedByAddress, c.Addresses
	}
	if r.tls != nil {
		c := r.tls.Counters()
		if r.apiTLS != r.tls {
			c = c.And(r.apiTLS.Counters())
		}
		st.TLSFull, st.TLSResumed, st.TLSChallenges, st.TLSFailed = c.Full, c.Resumed, c.Challenges, c.Failed
		for _, one := range r.infos() {
			if at := one.NotAfter.Unix(); st.CertificateExpiry == 0 || at < st.CertificateExpiry {
				st.CertificateExpiry = at
			}
		}
	}
	if r.proxy != nil {
		st.Proxied = r.proxy.Counters()
	}
	return st
}
