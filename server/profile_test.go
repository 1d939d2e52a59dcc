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

// TestPprofSites: no page of another site reads a profile or has one taken.
func TestPprofSites(t *testing.T) {
	p, err := startProfiler("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}()
	own := p.listener.Addr().String()
	for name, test := range map[string]struct {
		host, origin, site string
		want               int
	}{
		"go tool pprof":          {own, "", "", 200},
		"localhost":              {"localhost:6060", "", "", 200},
		"the address bar":        {own, "", "none", 200},
		"a link on its own page": {own, "", "same-origin", 200},
		"DNS rebinding":          {"evil.example:6060", "", "same-origin", 403},
		"another site's image":   {own, "", "cross-site", 403},
		"another port":           {own, "http://127.0.0.1:3000", "same-site", 403},
		"an old browser's fetch": {own, "https://evil.example", "", 403},
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/trace?seconds=0.01"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+own+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = test.host
			for header, value := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != test.want {
				t.Errorf("%s, %s: %d, want %d", name, path, answer.StatusCode, test.want)
			}
		}
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
