package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestPprof: the profiles are served while the server runs, and not after it.
func TestPprof(t *testing.T) {
	p, err := startProfiler("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + p.listener.Addr().String() + "/debug/pprof/goroutine?debug=1"
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || !strings.Contains(string(body), "goroutine profile") {
		t.Errorf("answer %s, %v: %.60q", answer.Status, err, body)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if answer, err := http.Get(url); err == nil {
		answer.Body.Close()
		t.Error("the profiles are still served")
	}
}

// TestPprofLoopbackOnly: profiles are not for the network.
func TestPprofLoopbackOnly(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:6060": true, "[::1]:6060": true, "localhost:6060": true,
		":6060": false, "0.0.0.0:6060": false, "192.0.2.1:6060": false, "6060": false, "example.com:6060": false,
	} {
		o := DefaultOptions()
		o.Pprof = addr
		if err := o.Validate(); (err == nil) != want {
			t.Errorf("--pprof %s: %v", addr, err)
		}
	}
}
