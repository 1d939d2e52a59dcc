package main

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// startSecureServer is startTestServer with TLS; it answers /healthz, too. change may be nil.
func startSecureServer(t *testing.T, f fault, change func(*tls.Config)) (address string) {
	t.Helper()
	groups, mux := newTestServer(f), http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.Handle("/", groups)
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
	s.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	if change != nil {
		change(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestScenariosOverTLS(t *testing.T) {
	t.Parallel()
	addr := startSecureServer(t, nil, nil)
	one := commonFor(addr)
	one.TLS = true
	resumed, two := one, one
	resumed.TLSResume, two.Threads = true, 2
	steady := shortPace
	steady.Duration = time.Second
	for name, s := range map[string]scenario{
		"big room":        &bigRoom{common: two, pace: steady, Members: 20, Publishers: 2, Rate: 400},
		"hot room":        &hotRoom{common: one, pace: steady, Members: 10, Publishers: 4, Window: 8},
		"churn":           &churn{common: two, pace: steady, Members: 10, Visitors: 6, Steps: 600, Publishers: 2, Rate: 400},
		"slow":            &slow{common: one, pace: steady, Members: 10, Sleepers: 2, Publishers: 1, Rate: 200},
		"storm":           &storm{common: two, Connections: 50, Groups: 3, Close: true},
		"storm, resumed":  &storm{common: resumed, Connections: 50, Groups: 3},
		"healthz":         &storm{common: one, Connections: 50, Groups: 3, Healthz: true},
		"healthz, resume": &storm{common: resumed, Connections: 50, Groups: 3, Healthz: true},
		"idle, a record":  &idleCrowd{common: one, Members: 50, Groups: 3, First: 16000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := runScenario(t, s)
			if err != nil {
				t.Fatalf("%v\n%+v", err, r)
			}
			o, _ := s.options()
			if o.traffic && (r.Published == 0 || r.Delivered == 0 || r.Latency.Count == 0) {
				t.Errorf("nothing measured: %+v", r)
			}
			if !o.traffic && r.Connections != 50 {
				t.Errorf("%d connections", r.Connections)
			}
		})
	}
}

func TestWrongServersOverTLS(t *testing.T) {
	t.Parallel()
	noTickets := func(c *tls.Config) { c.SessionTicketsDisabled = true }
	loses := func(_ *testServer, n int, to *testMember, message []byte) {
		if n != 1500 { // in the midst of the run
			to.queue <- message
		}
	}
	for _, test := range []struct {
		name, addr, want string
		resume           bool
	}{
		{"one lost", startSecureServer(t, loses, nil), "lost", false},
		{"without tickets", startSecureServer(t, nil, noTickets), "does not resume", true},
		{"without TLS", startTestServer(t, nil), "TLS handshake", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := smallRoom(test.addr)
			s.TLS, s.TLSResume = true, test.resume
			if _, err := runScenario(t, s); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestCandidatesOverTLS(t *testing.T) {
	c := compare{Candidate: []string{"a=@tls server {port}", "b=server {port}", "c=@nchan server {port}"}}
	all, err := c.candidates()
	if err != nil || !all[0].TLS || all[0].Command != "server {port}" || all[1].TLS || all[2].TLS {
		t.Errorf("%+v, %v", all, err)
	}
}
