package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What cannot start says why in one line, and ends with 1.
func TestRefusals(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		env  []string
		want string
	}{
		"port in use": {args: []string{"start", "--listen", taken.Addr().String()}, want: "groupcast: listen on " +
			taken.Addr().String() + ": address already in use"},
		"second in use": {
			args: []string{"start", "--listen=127.0.0.1:0", "--listen", taken.Addr().String()},
			want: "groupcast: listen on " + taken.Addr().String() + ": address already in use",
		},
		"foreign address": {
			args: []string{"start", "--listen", "203.0.113.1:1234"},
			want: "groupcast: listen on 203.0.113.1:1234: cannot assign requested address",
		},
		"bad address": {
			args: []string{"start", "--listen", "here"},
			want: `groupcast: --listen: wants HOST:PORT, :PORT or unix:/PATH, got "here"`,
		},
		"not a socket": {args: []string{"start", "--listen", "unix:" + file}, want: "groupcast: listen on unix:" + file +
			": the file exists and is not a socket"},
		"unknown flag": {args: []string{"start", "--nonsense"}, want: "groupcast: unknown flag --nonsense"},
		"unknown command": {
			args: []string{"strt"},
			want: `groupcast: unexpected argument strt, did you mean one of "start", "stop"?`,
		},
		"bad value":    {args: []string{"start", "--max-message", "64KB"}, want: "groupcast: --max-message: wants bytes"},
		"no value":     {args: []string{"start", "--loops"}, want: "groupcast: --loops: wants a value"},
		"no text":      {args: []string{"start", "--log-file"}, want: "groupcast: --log-file: wants a value"},
		"out of range": {args: []string{"start", "--loops=257"}, want: "groupcast: --loops: wants 0 to 256, got 257"},
		"environment": {
			args: []string{"start"}, env: []string{"GROUPCAST_DRAIN=10"},
			want: "groupcast: --drain (GROUPCAST_DRAIN): wants a time with its unit",
		},
		"no config": {
			args: []string{"start", "--config=/nowhere"},
			want: "groupcast: --config: open /nowhere: no such file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, c.env, c.args...)
			if code := p.exit(); code != exitRefused {
				t.Errorf("exit %d, want %d", code, exitRefused)
			}
			if line := p.line(); !strings.HasPrefix(line, c.want) {
				t.Errorf("got %q, want %q", line, c.want)
			}
			if p.out.String() != "" {
				t.Errorf("standard output: %q", p.out)
			}
		})
	}
}

// A limit that cannot live with another: one line for each.
func TestSeveralRefusals(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "start", "--loops=300", "--log-level=loud")
	if code := p.exit(); code != exitRefused {
		t.Errorf("exit %d", code)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(p.err.String()), "\n") {
		if !strings.HasPrefix(line, "groupcast: --lo") {
			t.Errorf("got %q", line)
		}
	}
}

func TestNoPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may do everything")
	}
	p := launch(t, nil, "start", "--listen=unix:/proc/x")
	if code := p.exit(); code != exitRefused {
		t.Errorf("exit %d", code)
	}
	p.line()
}

// Stopped by either signal: exit 0, and the socket file is gone.
func TestStopBySignal(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			socket := filepath.Join(t.TempDir(), "s")
			p := launch(t, nil, "start", "--listen=127.0.0.1:0", "--listen=unix:"+socket, "--loops=2")
			addresses := p.ready()
			if len(addresses) != 2 || strings.HasSuffix(addresses[0], ":0") || addresses[1] != "unix:"+socket {
				t.Errorf("the banner's addresses: %v", addresses)
			}
			if strings.Contains(p.out.String(), "\x1b") {
				t.Errorf("colour where no terminal is: %q", p.out)
			}
			p.signal(s)
			if code := p.exit(); code != exitStopped {
				t.Errorf("exit %d", code)
			}
			if _, err := os.Lstat(socket); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket file is still there: %v", err)
			}
		})
	}
}

// The socket of a process that was killed does not keep the next one away.
func TestStartAfterACrash(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	p := launch(t, nil, "start", "--listen=unix:"+socket)
	p.ready()
	second := launch(t, nil, "start", "--listen=unix:"+socket)
	if code := second.exit(); code != exitRefused || !strings.Contains(second.line(), "address already in use") {
		t.Errorf("while the first lives: exit %d", code)
	}
	p.signal(syscall.SIGKILL)
	p.exit()
	third := launch(t, nil, "start", "--listen=unix:"+socket)
	third.ready()
	third.signal(syscall.SIGTERM)
	if code := third.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
}

func TestJSONLogInsteadOfTheBanner(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "start", "--listen=127.0.0.1:0", "--log-format=json")
	p.until("the start's record", func() bool { return strings.Contains(p.err.String(), "start success") })
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	if p.out.String() != "" {
		t.Errorf("standard output: %q", p.out)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(p.err.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %q", line)
		}
	}
}

// Who asks for more connections than there are files is warned, and served.
func TestMoreConnectionsThanFiles(t *testing.T) {
	t.Parallel()
	p := launchAs(t, nil, "/bin/sh", "-c", `ulimit -n 1000 && exec "$0" start --listen=127.0.0.1:0 --max-conns=5000`,
		os.Args[0])
	p.ready()
	if !strings.Contains(p.err.String(), "--max-conns is more than the open-files limit allows") {
		t.Errorf("no warning: %q", p.err)
	}
	if !strings.Contains(p.out.String(), "5,000") || !strings.Contains(p.out.String(), "open files: 1,000") {
		t.Errorf("the banner: %s", p.out)
	}
}

// Nobody reads the log any more: the server goes on, and stops when it is asked
// to.
func TestSurvivesTheEndOfItsLog(t *testing.T) {
	t.Parallel()
	// The reader of standard error ends at once.
	p := launchAs(t, nil, "/bin/bash", "-c", `exec "$0" start --listen=127.0.0.1:0 --log-level=debug 2> >(:)`, os.Args[0])
	p.ready()
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d, %v", code, p.cmd.ProcessState)
	}
}

// A second signal does not wait for the first one's drain.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "start", "--listen=127.0.0.1:0", "--drain=10m", "--close-timeout=10m")
	// Upgraded, and never to answer a close.
	if status := dial(t, p.ready()[0]).upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	p.signal(syscall.SIGTERM)
	p.until("the drain", func() bool { return strings.Contains(p.err.String(), "msg=stopping") })
	p.signal(syscall.SIGINT)
	if code, want := p.exit(), exitSignal+int(syscall.SIGINT); code != want {
		t.Errorf("exit %d, want %d", code, want)
	}
}

// When --drain is over, who is left is cut, counted, and no reason for another
// exit code.
func TestDrainRunsOut(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "start", "--listen=127.0.0.1:0", "--drain=200ms", "--close-timeout=1m")
	if status := dial(t, p.ready()[0]).upgrade(); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %d", status)
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != exitStopped {
		t.Errorf("exit %d", code)
	}
	if !strings.Contains(p.err.String(), "left=1") {
		t.Errorf("the log does not say how many were cut: %s", p.err)
	}
}
