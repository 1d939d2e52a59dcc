package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestShortOfMemory: a process that may have 256 MiB, said in each of the ways in which that
// can be said, is asked for three times as much at once: by readers that read nothing, by peers
// with half a message, and by a storm of connections. It lives, and whoever reads gets everything.
func TestShortOfMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs several times the memory, and does not say how much")
	}
	const limit = 256 << 20
	for name, launch := range map[string]func(*testing.T, ...string) *process{
		"max-memory": func(t *testing.T, args ...string) *process {
			t.Helper()
			return launch(t, nil, append(args, "--max-memory=256MiB")...)
		},
		"GOMEMLIMIT": func(t *testing.T, args ...string) *process {
			t.Helper()
			return launch(t, []string{"GOMEMLIMIT=256MiB"}, args...)
		},
		"cgroup": func(t *testing.T, args ...string) *process {
			t.Helper()
			dir := cgroup(t, limit)
			return launchAs(t, nil, "/bin/sh", append([]string{
				"-c",
				`echo $$ >"$0"/cgroup.procs && exec "$@"`, dir, os.Args[0],
			}, args...)...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, "start", "--listen=127.0.0.1:0", "--loops=2", "--max-message=1MiB", "--max-backlog=16MiB")
			besiege(t, p, p.ready()[0])
			if !strings.Contains(p.err.String(), "short of memory: those that held most were closed") {
				t.Error("nobody was closed for want of memory: was it asked for enough?")
			}
			if peak := peakBytes(t, p); peak > limit {
				t.Errorf("it had %d MiB resident, of %d", peak>>20, limit>>20)
			} else {
				t.Logf("%d MiB resident at most", peak>>20)
			}
			p.signal(syscall.SIGTERM)
			if code := p.exit(); code != exitStopped {
				t.Errorf("exit %d", code)
			}
		})
	}
}

// besiege asks for much more than 256 MiB, while members get message upon message.
func besiege(t *testing.T, p *process, address string) {
	t.Helper()
	const (
		live, stalled, halves, storm = 20, 400, 2500, 4000
		messages, size               = 60, 100_000
		half                         = 100_000
	)
	var members []*raw
	for range live {
		one := member(t, address, false)
		members = append(members, one)
	}
	publisher := member(t, address, false)
	for range stalled {
		member(t, address, true)
	}

	// Those that attack do so until the members have everything; what becomes of them is theirs.
	var attack errgroup.Group
	done := make(chan struct{})
	hold := func(c net.Conn) {
		<-done
		_ = c.Close()
	}
	attack.SetLimit(halves + storm)
	attack.Go(func() error {
		for i := range halves + storm {
			c, err := net.Dial("tcp", address)
			if err != nil {
				continue
			}
			attack.Go(func() error {
				defer hold(c)
				_ = c.SetDeadline(time.Now().Add(patience))
				if _, err := io.WriteString(c, upgradeRequest); err == nil && i < halves {
					frame := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<20)
					_, _ = c.Write(append(frame, make([]byte, 4+half)...))
				}
				return nil
			})
		}
		return nil
	})

	for i := range messages {
		text := fmt.Sprintf("%d:", i)
		text += strings.Repeat("x", size-len(text))
		command := `{"cmd":"send_to_group","group_id":"g","message":"` + text + `"}`
		frame := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, uint64(len(command)))
		frame = append(append(frame, 0, 0, 0, 0), command...)
		_ = publisher.conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err := publisher.conn.Write(frame); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		var reading errgroup.Group
		for _, one := range append(members, publisher) {
			reading.Go(func() error { return one.wantLong(text) })
		}
		if err := reading.Wait(); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	// The others are closed, or were never let in: then there is room for somebody new.
	close(done)
	if err := attack.Wait(); err != nil {
		t.Error(err)
	}
	p.until("a new session", func() bool {
		next := dial(t, address)
		defer next.conn.Close()
		return next.upgrade() == 101 && next.ping("new") == nil
	})
}

// member is one of group g; one that is to stall has little room for what it does not read.
func member(t *testing.T, address string, stalls bool) *raw {
	t.Helper()
	dialer := net.Dialer{}
	if stalls {
		dialer.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			})
		}
	}
	c, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	one := &raw{c, bufio.NewReader(c)}
	if status := one.upgrade(); status != 101 {
		t.Fatalf("status %d", status)
	}
	one.join(t, "g")
	return one
}

// wantLong reads a frame of 64 KiB or more.
func (r *raw) wantLong(want string) error {
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, 10)
	if _, err := io.ReadFull(r.reader, head[:2]); err != nil {
		return err
	}
	if head[0] != 0x81 || head[1] != 127 {
		rest, _ := io.ReadAll(io.LimitReader(r.reader, int64(head[1])))
		return fmt.Errorf("a frame of opcode %d: %q", head[0]&15, rest)
	}
	if _, err := io.ReadFull(r.reader, head[2:]); err != nil {
		return err
	}
	got := make([]byte, binary.BigEndian.Uint64(head[2:]))
	if _, err := io.ReadFull(r.reader, got); err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("got %.20q of %d bytes, want %.20q", got, len(got), want)
	}
	return nil
}

// peakBytes is the most that the process has had resident.
func peakBytes(t *testing.T, p *process) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// cgroup makes one that may have so many bytes; the test is skipped where it cannot.
func cgroup(t *testing.T, bytes int) (dir string) {
	t.Helper()
	for _, way := range []struct{ root, file string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
		{"/sys/fs/cgroup", "memory.max"},
	} {
		dir = filepath.Join(way.root, fmt.Sprintf("groupcast-test-%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			eventually(t, "the cgroup to be empty", nil, func() bool { return os.Remove(dir) == nil })
		})
		if os.WriteFile(filepath.Join(dir, way.file), []byte(strconv.Itoa(bytes)), 0o644) == nil {
			return dir
		}
	}
	t.Skip("no cgroup with a limit for memory can be made here")
	return ""
}
