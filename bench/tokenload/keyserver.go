package main

import (
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// keyServer publishes keys as an identity provider does.
// Owner: the run.
type keyServer struct {
	address string
	server  *http.Server
	serving sync.WaitGroup
	asked   atomic.Int64
	delay   time.Duration // of each answer
	silent  atomic.Bool   // it takes requests, and answers none

	mu   sync.Mutex
	body []byte
}

func startKeyServer(delay time.Duration, keys ...key) (*keyServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &keyServer{address: "http://" + listener.Addr().String() + "/keys", delay: delay}
	if err := s.publish(keys...); err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: 5 * time.Second}
	s.serving.Go(func() { _ = s.server.Serve(listener) }) // until stop
	return s, nil
}

// publish puts other keys in the place of those that there are.
func (s *keyServer) publish(keys ...key) error {
	set := struct {
		Keys []map[string]string `json:"keys"`
	}{}
	for _, k := range keys {
		public, err := k.jwk()
		if err != nil {
			return err
		}
		set.Keys = append(set.Keys, public)
	}
	body, err := json.Marshal(set)
	s.mu.Lock()
	s.body = body
	s.mu.Unlock()
	return err
}

func (s *keyServer) answer(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.silent.Load() {
		<-r.Context().Done()
		return
	}
	select {
	case <-time.After(s.delay):
	case <-r.Context().Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = w.Write(s.body) // a client that is gone misses nothing
}

func (s *keyServer) stop() {
	_ = s.server.Close()
	s.serving.Wait()
}
