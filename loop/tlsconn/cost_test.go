package tlsconn

import (
	"crypto/tls"
	"io"
	"runtime"
	"testing"
)

// A message sealed allocates nothing. Reading does what crypto/tls does: 24 bytes for each
// time that it asks for ciphertext, here once for a record and once in vain.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes pools forget")
	}
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			s, socket, c := pair(t, server, client)
			go func() { _, _ = io.Copy(io.Discard, c) }()
			out, plain := make([]byte, 0, 64<<10), make([]byte, 20<<10)
			for _, n := range []int{1, 100, 20 << 10} {
				if allocs := testing.AllocsPerRun(100, func() {
					sealed, err := s.Seal(out[:0], plain[:n])
					if err != nil || &sealed[0] != &out[:1][0] {
						t.Fatalf("not in the caller's buffer, %v", err)
					}
				}); allocs != 0 {
					t.Errorf("Seal of %d bytes: %v allocations", n, allocs)
				}
			}

			const runs = 100
			ciphertext := clientRecords(t, socket, c, runs+1, 100)
			record := len(ciphertext) / (runs + 1)
			if allocs := testing.AllocsPerRun(runs, func() {
				s.Feed(ciphertext[:record])
				ciphertext = ciphertext[record:]
				if n, more, err := s.Read(plain); n != 100 || more || err != nil {
					t.Fatal(n, more, err)
				}
			}); allocs > 2 {
				t.Errorf("Feed and Read: %v allocations", allocs)
			}
		})
	}
}

// clientRecords are n records of size bytes each, as they came to socket.
func clientRecords(tb testing.TB, socket io.Reader, c io.Writer, n, size int) []byte {
	tb.Helper()
	var all []byte
	buffer, plain := make([]byte, 64<<10), make([]byte, size)
	for range n {
		if _, err := c.Write(plain); err != nil {
			tb.Fatal(err)
		}
		for got := 0; got < 5 || got < 5+(int(buffer[3])<<8|int(buffer[4])); {
			m, err := socket.Read(buffer[got:])
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, buffer[got:got+m]...)
			got += m
		}
	}
	return all
}

// What an idle session holds: after small frames, and after one full record.
func TestIdleMemory(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			for frames, frame := range map[string]struct{ size, most int }{
				"small frames":    {100, 9 << 10},
				"one full record": {recordBytes, 24 << 10},
			} {
				const sessions = 50
				all := make([]*Session, sessions)
				pair(t, server, client) // what the process makes once
				plain := make([]byte, recordBytes)
				// The clients are gone when it is measured; what is left is ours.
				before := heap()
				for i := range all {
					all[i] = idle(t, server, client, frame.size, plain)
				}
				each := (heap() - before) / sessions
				t.Logf("%s: %d bytes", frames, each)
				if each > frame.most {
					t.Errorf("%s: %d bytes a session, more than %d", frames, each, frame.most)
				}
				runtime.KeepAlive(all)
			}
		})
	}
}

// idle is a session that has received and sent a record of size bytes. The client
// is gone.
func idle(tb testing.TB, server, client *tls.Config, size int, plain []byte) *Session {
	tb.Helper()
	s, socket, c := shaken(tb, server, client)
	defer func() { _, _ = socket.Close(), c.NetConn().Close() }()
	for range 3 {
		s.Feed(clientRecords(tb, socket, c, 1, size))
		if n, more, err := s.Read(plain); n != size || more && n < len(plain) || err != nil {
			tb.Fatal(n, more, err)
		}
		if _, more, err := s.Read(plain); more || err != nil {
			tb.Fatal(more, err)
		}
		if _, err := s.Seal(nil, plain[:size]); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func BenchmarkSeal(b *testing.B) {
	server, client := configs(b, tls.VersionTLS13)
	s, _, _ := pair(b, server, client)
	for name, n := range map[string]int{"100": 100, "1KiB": 1 << 10, "16KiB": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			out, plain := make([]byte, 0, SealedSize(n)), make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Seal(out, plain); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
