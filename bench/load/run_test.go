package main

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what should come at once.
const patience = 2 * time.Minute

var shortPace = pace{Size: 128, Warmup: 100 * time.Millisecond, Duration: 300 * time.Millisecond, Drain: patience}

func commonFor(addr string) common {
	return common{Addr: addr, Acks: true, Threads: 1, Concurrency: 16, Quiet: true}
}

func smallRoom(addr string) *bigRoom {
	return &bigRoom{common: commonFor(addr), pace: shortPace, Members: 20, Publishers: 2, Rate: 400}
}

func smallRooms(addr string) *manyRooms {
	return &manyRooms{common: commonFor(addr), pace: shortPace, Groups: 6, Members: 4, Publishers: 2, Rate: 400}
}

func runScenario(t *testing.T, s scenario) (result, error) {
	t.Helper()
	o, err := s.options()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.validate(); err != nil {
		t.Fatal(err)
	}
	r := newRun(o, newProgress(os.Stderr, true))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = r.do(ctx)
	if err == nil {
		err = r.result.verdict()
	}
	return r.result, err
}

func TestEveryScenarioAgainstARightServer(t *testing.T) {
	t.Parallel()
	addr := startTestServer(t, nil)
	one, two := commonFor(addr), commonFor(addr)
	two.Threads = 2
	// Long enough that a busy machine, too, delivers something within it.
	steady := shortPace
	steady.Duration = time.Second
	for name, s := range map[string]scenario{
		"big room":            &bigRoom{common: one, pace: steady, Members: 20, Publishers: 2, Rate: 400},
		"big room, 2 threads": &bigRoom{common: two, pace: steady, Members: 20, Publishers: 2, Rate: 400},
		"hot room":            &hotRoom{common: one, pace: steady, Members: 10, Publishers: 4, Window: 8},
		"many rooms":          &manyRooms{common: one, pace: steady, Groups: 6, Members: 4, Publishers: 2, Rate: 400},
		"many rooms, window":  &manyRooms{common: two, pace: steady, Groups: 6, Members: 4, Publishers: 3, Window: 4},
		"many groups": &manyGroups{
			common: one, pace: steady, Members: 12, Groups: 8, PerMember: 3, Publishers: 4, Window: 4,
		},
		"churn": &churn{
			common: two, pace: steady, Members: 10, Visitors: 6, Steps: 600, Publishers: 2, Rate: 400,
		},
		"slow": &slow{common: one, pace: steady, Members: 10, Sleepers: 2, Publishers: 1, Rate: 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := runScenario(t, s)
			if err != nil {
				t.Fatalf("%v\n%+v", err, r)
			}
			if r.Published == 0 || r.Delivered == 0 || r.Latency.Count == 0 || r.Latency.P50 == 0 {
				t.Errorf("nothing measured: %+v", r)
			}
			if name == "churn" && r.Visits == 0 {
				t.Error("nobody came or went")
			}
		})
	}
	t.Run("storm", func(t *testing.T) {
		t.Parallel()
		r, err := runScenario(t, &storm{common: two, Connections: 50, Groups: 3, Close: true})
		if err != nil || r.Connections != 50 {
			t.Errorf("%v, %+v", err, r)
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		r, err := runScenario(t, &idleCrowd{common: one, Members: 50, Groups: 3})
		if err != nil || r.Connections != 50 {
			t.Errorf("%v, %+v", err, r)
		}
	})
}

func TestPacedRunsPublishAndMeasureWhatWasAsked(t *testing.T) {
	t.Parallel()
	r, err := runScenario(t, smallRoom(startTestServer(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	// 400 messages/s for 300 ms to 20 members: latency counts exactly those meant to be sent in the window.
	if r.Latency.Count != 120*20 {
		t.Errorf("%d latencies, want %d", r.Latency.Count, 120*20)
	}
}

func TestWrongServersAreNoticed(t *testing.T) {
	t.Parallel()
	const at = 1500 // deliveries: in the midst of the run
	inRoom := func(addr string) scenario { return smallRoom(addr) }
	inRooms := func(addr string) scenario { return smallRooms(addr) }
	for _, c := range []struct {
		name     string
		scenario func(string) scenario
		fault    fault
		want     func(result) bool
	}{
		{"loses one", inRoom, func(_ *testServer, n int, to *testMember, b []byte) {
			if n != at {
				to.queue <- b
			}
		}, func(r result) bool { return r.Lost == 1 && r.Duplicated+r.Reordered+r.Misdelivered+r.Damaged == 0 }},
		{"goes silent", inRoom, func(_ *testServer, n int, to *testMember, b []byte) {
			if n <= at {
				to.queue <- b
			}
		}, func(r result) bool { return r.Lost == 160*20-at }},
		{"duplicates one", inRoom, func(_ *testServer, n int, to *testMember, b []byte) {
			to.queue <- b
			if n == at {
				to.queue <- b
			}
		}, func(r result) bool { return r.Duplicated == 1 && r.Lost+r.Reordered+r.Misdelivered+r.Damaged == 0 }},
		{"swaps two", func(a string) scenario {
			s := smallRoom(a)
			s.Publishers = 1 // only a publisher's own messages have an order
			return s
		}, func(s *testServer, n int, to *testMember, b []byte) {
			if n == at {
				to.held = b
				return
			}
			to.queue <- b
			if to.held != nil {
				to.queue <- to.held
				to.held = nil
			}
		}, func(r result) bool { return r.Reordered == 1 && r.Lost+r.Duplicated+r.Misdelivered+r.Damaged == 0 }},
		{"misdelivers one", inRooms, func(s *testServer, n int, to *testMember, b []byte) {
			if n == 300 {
				s.other(to).queue <- b
			} else {
				to.queue <- b
			}
		}, func(r result) bool { return r.Misdelivered == 1 && r.Lost == 1 }},
		{"damages one", inRoom, func(_ *testServer, n int, to *testMember, b []byte) {
			if n == at {
				b = append([]byte(nil), b...)
				b[100] ^= 1
			}
			to.queue <- b
		}, func(r result) bool { return r.Damaged == 1 && r.Lost == 1 }},
		{"closes one", func(a string) scenario { return smallRoom(a) }, func(_ *testServer, n int, to *testMember, b []byte) {
			if n == at {
				go to.conn.Close(1008, "slow")
			}
			to.queue <- b
		}, func(r result) bool { return r.Closed == 1 && r.CloseReasons["1008"] == 1 }},
		{"sends after a leave", func(a string) scenario {
			return &churn{common: commonFor(a), pace: shortPace, Members: 4, Visitors: 4, Steps: 400, Publishers: 1, Rate: 400}
		}, func(s *testServer, n int, to *testMember, b []byte) {
			to.queue <- b
			for m := range s.all {
				if n%50 == 0 && !s.groups[groupOf(s)][m] {
					m.queue <- b
				}
			}
		}, func(r result) bool { return r.Misdelivered > 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := runScenario(t, c.scenario(startTestServer(t, c.fault)))
			if err == nil || !c.want(r) {
				t.Errorf("%v, %+v", err, r)
			}
		})
	}
}

func groupOf(s *testServer) string {
	for g := range s.groups {
		return g
	}
	return ""
}

// A server that stalls must not hide it by stalling its publishers too: messages that were due meanwhile count from
// when they were due.
func TestLatencyCountsFromTheIntendedTime(t *testing.T) {
	t.Parallel()
	addr := startTestServer(t, func(_ *testServer, n int, to *testMember, b []byte) {
		if n == 40*20 {
			time.Sleep(200 * time.Millisecond) //nolint:forbidigo // the stall is what is tested
		}
		to.queue <- b
	})
	r, err := runScenario(t, smallRoom(addr))
	if err != nil {
		t.Fatal(err)
	}
	if r.Latency.Count != 120*20 || r.Latency.Max < 150e3 || r.Latency.P50 < 20e3 {
		t.Errorf("a stall of 200 ms in 300 ms: %+v", r.Latency)
	}
}

func TestBadInputIsToldInOneLine(t *testing.T) {
	t.Parallel()
	addr := startTestServer(t, nil)
	plainHTTP := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainHTTP.Close)
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	withPID := func(pid int) scenario {
		s := smallRoom(addr)
		s.PID = pid
		return s
	}
	nowhere := common{Server: "/nowhere/server {port}", Threads: 1, Concurrency: 1, Acks: true, Quiet: true}
	for _, c := range []struct {
		name string
		s    scenario
		want string
	}{
		{"dead port", smallRoom("127.0.0.1:1"), "there is no server"},
		{"no such process", withPID(1 << 30), "there is no process"},
		{"another process", withPID(other.Process.Pid), "does not listen"},
		{"not a WebSocket", smallRoom(plainHTTP.Listener.Addr().String()), "404"},
		{"too many", &storm{common: commonFor(addr), Connections: 2_000_000, Groups: 1}, "open files"},
		{"no such command", &storm{common: nowhere, Connections: 1, Groups: 1}, "the server has ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := runScenario(t, c.s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestOptionsAreValidated(t *testing.T) {
	change := func(f func(*bigRoom)) *bigRoom {
		s := smallRoom("127.0.0.1:1")
		f(s)
		return s
	}
	for name, s := range map[string]*bigRoom{
		"not loopback":       change(func(s *bigRoom) { s.Addr = "192.0.2.1:80" }),
		"no rate":            change(func(s *bigRoom) { s.Rate = 0 }),
		"payload too small":  change(func(s *bigRoom) { s.Size = stampBytes - 1 }),
		"payload too large":  change(func(s *bigRoom) { s.Size = maxPayloadBytes + 1 }),
		"no time":            change(func(s *bigRoom) { s.Duration = 0 }),
		"threads":            change(func(s *bigRoom) { s.Threads = 0 }),
		"server and pid":     change(func(s *bigRoom) { s.Server, s.PID = "x {port}", 1 }),
		"resume without TLS": change(func(s *bigRoom) { s.TLSResume = true }),
		"no members":         change(func(s *bigRoom) { s.Members = 0 }),
		"too many publisher": change(func(s *bigRoom) { s.Publishers = 21 }),
	} {
		o, err := s.options()
		if err == nil {
			err = o.validate()
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestServerThatIsStartedIsMeasuredAndEnded(t *testing.T) {
	t.Parallel()
	s := smallRoom("")
	s.Server = "env LOAD_TEST_SERVER={port} " + os.Args[0]
	// Enough work for a clock of 10 ms, and not too much for a busy machine.
	s.Size, s.Rate, s.Duration = 16<<10, 100, 2*time.Second
	r, err := runScenario(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.CPUPerDelivery <= 0 || r.MemoryAfter <= 0 || r.PID == 0 {
		t.Errorf("not measured: %+v", r)
	}
	if alive(r.PID) {
		t.Errorf("the server (pid %d) is still there", r.PID)
	}
}

func TestServerThatDiesHalfWay(t *testing.T) {
	t.Parallel()
	s := smallRoom("")
	s.Server = "env LOAD_TEST_DIE=1 LOAD_TEST_SERVER={port} " + os.Args[0]
	s.Rate, s.Duration = 100, patience // it dies after two seconds
	r, err := runScenario(t, s)
	if err == nil || !strings.Contains(err.Error(), "out of luck") {
		t.Errorf("%v", err)
	}
	if r.Delivered < 100 || r.Error == "" || r.Lost > 0 {
		t.Errorf("what was measured before it died: %+v", r)
	}
}

func TestDeliveriesDoNotAllocate(t *testing.T) {
	p := oneRoom("x", 3, 1, 0, 0)
	o := options{size: 128, rate: 1, common: common{Threads: 1, Concurrency: 1}}
	l, err := newLoop(p, newControl(), o, nil, []int32{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.from, l.until, l.now = 0, never, 1e9
	body := append(make([]byte, stampBytes), l.padding...)
	seq := uint32(0)
	c := &l.conns[0]
	c.stage = ready
	allocations := testing.AllocsPerRun(1000, func() {
		seq++
		stamp{0, 0, seq, 5}.put(body)
		l.deliver(c, body)
	})
	if allocations != 0 || l.stats.Delivered != uint64(seq) || l.ledger.open != 0 {
		t.Errorf("%v allocations per delivery, %+v", allocations, l.stats)
	}
}

func BenchmarkDeliver(b *testing.B) {
	p := oneRoom("x", 2, 1, 0, 0)
	o := options{size: 128, rate: 1, common: common{Threads: 1, Concurrency: 1}}
	l, err := newLoop(p, newControl(), o, nil, []int32{0, 1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.close()
	l.from, l.until, l.now = 0, never, 1e9
	body := append(make([]byte, stampBytes), l.padding...)
	stamp{0, 0, 1, 5}.put(body)
	for b.Loop() {
		l.ledger.next[0] = 1
		l.deliver(&l.conns[0], body)
	}
}

// Connections present the tokens of a file in turn.
func TestTokens(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	presented := map[string]int{}
	right := newTestServer(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		presented[r.Header.Get("Authorization")]++
		mu.Unlock()
		right.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s := &storm{common: commonFor(server.Listener.Addr().String()), Connections: 9, Groups: 2}
	s.Tokens = filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(s.Tokens, []byte("a.b.c\nd.e.f\n\ng.h.i\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := runScenario(t, s); err != nil {
		t.Fatalf("%v\n%+v", err, r)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := map[string]int{"Bearer a.b.c": 3, "Bearer d.e.f": 3, "Bearer g.h.i": 3}; !maps.Equal(presented, want) {
		t.Errorf("got %v", presented)
	}
	s.Tokens += ".not"
	o, err := s.options()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.validate(); err == nil || !strings.Contains(err.Error(), "--tokens: ") {
		t.Errorf("got %v", err)
	}
}
