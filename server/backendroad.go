package server

import (
	"net"
	"net/http"

	"groupcast/loop/ration"
	"groupcast/server/door"
)

// The API and the Channel server have listeners of package net. TLS stands in front of
// them on a road of their own; without it they accept from the door itself.

// maxOnBackendRoad bounds the connections to one such address that shake hands.
const maxOnBackendRoad = 64

// along is where connections to d come out, which shake hands as secured says.
func (s *Server) along(d *door.Door, secured *door.TLS) (net.Listener, error) {
	if !d.IsTLS() {
		return d.Listener, nil
	}
	limits := roadLimits(s.maxFiles, s.options)
	limits.MaxPending = min(limits.MaxPending, maxOnBackendRoad)
	o := door.RoadOptions{TLS: secured, Limits: limits, Uncounted: s.options.Proxies(), Failed: s.cameNoFurther}
	l, err := door.Along(d.Listener, o, ration.New(s.log), func() { s.roadAcceptErrors.Add(1) })
	if err != nil {
		return nil, err
	}
	s.roads.backends = append(s.roads.backends, l)
	return l, nil
}

// believed is h for requests that come by proxies: the client's address stands in place of a
// believed proxy's.
func (r *roads) believed(h http.Handler) http.Handler {
	if r.forwarded == nil {
		return h
	}
	name := http.CanonicalHeaderKey(r.forwarded.Name)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		peer := door.ParseAddrPort(req.RemoteAddr)
		if r.forwarded.Believes(peer.Addr()) {
			if client := r.forwarded.Client(peer, req.Header[name]); client.IsValid() && client != peer {
				req.RemoteAddr = client.Addr().String()
			}
		}
		h.ServeHTTP(w, req)
	})
}
