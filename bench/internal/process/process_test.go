package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// TestMain is the tests, or the program that a test starts: this one, with roleName set.
func TestMain(m *testing.M) {
	switch os.Getenv(roleName) {
	case "benchmark":
		beBenchmark()
	case "listener":
		beListener(os.Args[1])
	default:
		goleak.VerifyTestMain(m)
	}
}

const roleName = "PROCESS_TEST_ROLE"

// noSuchPID is above the kernel's largest.
const noSuchPID = 1<<22 + 1

// beBenchmark starts a program, says its id, and never ends by itself.
func beBenchmark() {
	p, err := Start(Command{Name: "sleep", Args: []string{"sleep", "1000"}})
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintln(os.Stdout, p.PID())
	_ = p.Wait()
}

// beListener listens until it is killed.
func beListener(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	for {
		if c, err := listener.Accept(); err == nil {
			_ = c.Close()
		}
	}
}

// start starts a program, and kills it at the end of the test.
func start(t *testing.T, c Command) *Process {
	t.Helper()
	if c.Name == "" {
		c.Name = "the server"
	}
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func shell(script string) Command { return Command{Args: []string{"/bin/sh", "-c", script}} }

// awaitPrinted waits until the program says that it has come so far.
func awaitPrinted(t *testing.T, p *Process, text string) {
	t.Helper()
	err := p.Await(t.Context(), patience, func() error {
		if !strings.Contains(p.Printed(), text) {
			return fmt.Errorf("it has not printed %q", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var errNotReady = errors.New("not ready")

func never() error { return errNotReady }

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want %q in it", err, part)
		}
	}
}

func TestErrorHasWhatAProgramPrintedThatEndsEarly(t *testing.T) {
	logged := shell("echo to the log; exit 4")
	logged.Log = filepath.Join(t.TempDir(), "log")
	split := shell("echo no error; echo an error >&2; exit 5")
	split.Stdout = &bytes.Buffer{}
	for _, c := range []struct {
		name    string
		command Command
		want    []string
	}{
		{"both outputs", shell("echo one; echo two >&2; exit 3"), []string{"exit status 3", "it said:\none\ntwo"}},
		{"a log", logged, []string{"exit status 4", "it said:\nto the log"}},
		{"its error output", split, []string{"exit status 5", "it said:\nan error"}},
		{"success", shell("echo nothing to do"), []string{"with success", "it said:\nnothing to do"}},
		{"a signal", shell("kill -9 $$"), []string{"signal: killed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := start(t, c.command)
			err := p.Await(t.Context(), patience, never)
			wantError(t, err, append(c.want, "the server has ended")...)
			if p.Err() == nil || p.Err().Error() != err.Error() {
				t.Errorf("Err() is %v, want %v", p.Err(), err)
			}
		})
	}
	if got := split.Stdout.(*bytes.Buffer).String(); got != "no error\n" {
		t.Errorf("standard output has %q", got)
	}
}

func TestErrorSaysWhyAProgramIsNotReady(t *testing.T) {
	p := start(t, shell("echo still starting; exec sleep 1000"))
	awaitPrinted(t, p, "still starting")
	if err := p.Err(); err != nil {
		t.Errorf("a running program: got %v, want nil", err)
	}
	err := p.Await(t.Context(), time.Millisecond, never)
	wantError(t, err, "the server is not ready within 1ms", errNotReady.Error(), "it said:\nstill starting")
	if !errors.Is(err, errNotReady) {
		t.Errorf("%v does not wrap its reason", err)
	}
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := p.Await(interrupted, patience, never); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v, want %v", err, context.Canceled)
	}
}

func TestAwaitListening(t *testing.T) {
	addresses, err := FreeAddresses(2)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, Command{Args: []string{os.Args[0], addresses[0]}, Env: []string{roleName + "=listener"}})
	if err := p.AwaitListening(t.Context(), patience, addresses[0]); err != nil {
		t.Fatal(err)
	}
	err = p.AwaitListening(t.Context(), time.Millisecond, addresses[1])
	wantError(t, err, "is not ready within 1ms", addresses[1], "refused")
}

func TestStartSaysWhatCannotBeStarted(t *testing.T) {
	for name, c := range map[string]Command{
		"no such program":        {Args: []string{"/nowhere/program"}},
		"no such folder of logs": {Args: []string{"true"}, Log: "/nowhere/log"},
		"thread":                 {Args: []string{"true"}, OnThread: func() error { return errNotReady }},
	} {
		c.Name = "the server"
		p, err := Start(c)
		if p != nil {
			t.Errorf("%s: it was started", name)
		}
		wantError(t, err, "start the server: ")
	}
}

func TestStopLetsAProgramEndByItself(t *testing.T) {
	p := start(t, shell(`trap 'echo goodbye; exit 0' TERM; echo ready; while :; do :; done`))
	awaitPrinted(t, p, "ready")
	if !p.Stop(patience) {
		t.Error("Stop reports that it was killed")
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if got := p.Printed(); !strings.Contains(got, "goodbye") {
		t.Errorf("it printed %q", got)
	}
	if !p.Stop(patience) { // twice is once
		t.Error("the second Stop reports that it was killed")
	}
}

func TestStopKillsAProgramThatDoesNotEndAndWhatThatHasStarted(t *testing.T) {
	p := start(t, shell(`trap '' TERM; sleep 1000 & echo "child $!"; while :; do wait; done`))
	awaitPrinted(t, p, "child ")
	var child int
	if _, err := fmt.Sscanf(p.Printed(), "child %d", &child); err != nil {
		t.Fatal(err)
	}
	if p.Stop(time.Millisecond) {
		t.Error("Stop reports that it ended by itself")
	}
	wantError(t, p.Wait(), "signal: killed")
	awaitGone(t, child)
}

func TestSignalsStopAndContinue(t *testing.T) {
	p := start(t, shell("trap 'exit 0' TERM; echo ready; while :; do :; done"))
	awaitPrinted(t, p, "ready")
	p.Signal(syscall.SIGSTOP)
	awaitState(t, p.PID(), "T")
	p.Signal(syscall.SIGCONT)
	awaitState(t, p.PID(), "RS")
	p.Signal(syscall.SIGSTOP)
	awaitState(t, p.PID(), "T")
	if !p.Stop(patience) {
		t.Error("a program that SIGSTOP has stopped did not end by itself")
	}
	p.Signal(syscall.SIGKILL) // nothing is there to get it
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestLittleIsKeptOfWhatIsPrinted(t *testing.T) {
	const much = `i=0; while [ $i -lt 2000 ]; do echo "line $i of many lines"; i=$((i+1)); done; echo the end`
	logged := shell(much)
	logged.Log = filepath.Join(t.TempDir(), "log")
	for name, c := range map[string]Command{"memory": shell(much), "log": logged} {
		p := start(t, c)
		if err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := p.Printed(); len(got) != PrintedBytes || !strings.HasSuffix(got, "of many lines\nthe end\n") {
			t.Errorf("%s: %d bytes are kept, want %d; they end in %q", name, len(got), PrintedBytes, got[max(0, len(got)-40):])
		}
	}
}

func TestTailIsTheEndOfAllWrites(t *testing.T) {
	var kept tail
	var all []byte
	for i, size := range []int{1, 100, PrintedBytes - 1, PrintedBytes, 9*PrintedBytes + 7, 5} {
		b := bytes.Repeat([]byte{byte('a' + i)}, size)
		if n, err := kept.Write(b); n != len(b) || err != nil {
			t.Fatalf("Write of %d bytes: %d, %v", len(b), n, err)
		}
		all = append(all, b...)
		if want := all[max(0, len(all)-PrintedBytes):]; kept.String() != string(want) {
			t.Fatalf("after %d bytes %d are kept, or others than the last %d", len(all), len(kept.String()), len(want))
		}
	}
	if most := 3 * PrintedBytes; cap(kept.b) > most {
		t.Errorf("%d bytes of memory for %d", cap(kept.b), PrintedBytes)
	}
}

func TestLogIsContinuedByTheNextLife(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	for _, life := range []string{"first", "second"} {
		c := shell("echo the " + life)
		c.Log = log
		if err := start(t, c).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "the first\nthe second\n" {
		t.Errorf("the log has %q, %v", text, err)
	}
}

func TestThreadIsPreparedForTheProgramAlone(t *testing.T) {
	const low = 7
	own := niceness(t, os.Getpid())
	c := shell("nice; exec sleep 1000")
	c.OnThread = func() error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, low) }
	p := start(t, c)
	awaitPrinted(t, p, "\n")
	if got := niceness(t, p.PID()); got != low {
		t.Errorf("the program's niceness is %d, want %d", got, low)
	}
	p.Kill()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "no thread of this process has it", func() bool {
		for _, thread := range threads {
			if got, there := statField(thread.Name(), 16); there && got == fmt.Sprint(low) {
				return false
			}
		}
		return niceness(t, os.Getpid()) == own
	})
}

func TestCPUTimeIsKeptBehindTheEnd(t *testing.T) {
	p := start(t, shell("while :; do :; done"))
	var running time.Duration
	until(t, "it has used a processor for 20 ms", func() bool {
		running = p.CPUTime()
		return running >= 20*time.Millisecond
	})
	of, err := CPUTime(p.PID())
	if err != nil || of < running {
		t.Errorf("by its id: %v, %v; it had used %v before", of, err, running)
	}
	p.Kill()
	if ended := p.CPUTime(); ended < running-10*time.Millisecond { // the kernel's accounting has steps
		t.Errorf("behind its end: %v, while it ran: %v", ended, running)
	}
	if _, err := CPUTime(noSuchPID); err == nil {
		t.Error("a process that is not there has a clock")
	}
}

func TestStatusBytes(t *testing.T) {
	if got := StatusBytes(os.Getpid(), "VmRSS"); got < 1<<20 || got%1024 != 0 {
		t.Errorf("this process has %d bytes resident", got)
	}
	if all, own := StatusBytes(os.Getpid(), "VmRSS"), StatusBytes(os.Getpid(), "RssAnon"); own <= 0 || own >= all {
		t.Errorf("of %d bytes resident %d are without pages of files", all, own)
	}
	if got := StatusBytes(noSuchPID, "VmRSS"); got != 0 {
		t.Errorf("a process that is not there has %d bytes", got)
	}
}

func TestFreePortsAreFreeAndDifferent(t *testing.T) {
	found, err := FreePorts(200)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, port := range found {
		if seen[port] || port < firstPort || port >= firstPort+ports {
			t.Errorf("port %d: twice, or out of [%d, %d)", port, firstPort, firstPort+ports)
		}
		seen[port] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d are found", len(seen))
	}
	if _, err := FreePorts(ports + 1); err == nil {
		t.Error("more than there are are found")
	}
	addresses, err := FreeAddresses(1)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

// TestNothingIsLeftOfAnInterruptedBenchmark: whatever ends it, its program goes with it.
func TestNothingIsLeftOfAnInterruptedBenchmark(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			benchmark := exec.Command(os.Args[0])
			benchmark.Env = append(os.Environ(), roleName+"=benchmark")
			out, err := benchmark.StdoutPipe()
			if err == nil {
				err = benchmark.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			var pid int
			_, err = fmt.Fscan(bufio.NewReader(out), &pid)
			if err != nil || !runs(pid) {
				t.Errorf("its program %d does not run: %v", pid, err)
			}
			_ = benchmark.Process.Signal(signal)
			_, _ = io.Copy(io.Discard, out)
			_ = benchmark.Wait()
			awaitGone(t, pid)
		})
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

func awaitState(t *testing.T, pid int, states string) {
	t.Helper()
	until(t, "state "+states, func() bool {
		state, there := statField(fmt.Sprint(pid), 0)
		return there && strings.Contains(states, state)
	})
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	until(t, fmt.Sprintf("process %d ends", pid), func() bool { return !runs(pid) })
}

// runs reports whether there is such a process, and it is more than an entry that nobody has asked for yet.
func runs(pid int) bool {
	state, there := statField(fmt.Sprint(pid), 0)
	return there && !strings.Contains("ZX", state)
}

func niceness(t *testing.T, pid int) (n int) {
	t.Helper()
	text, _ := statField(fmt.Sprint(pid), 16)
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatalf("niceness of process %d: %v", pid, err)
	}
	return n
}

// statField is one of /proc/PID/stat behind the command's name: 0 is the state, 16 the niceness.
func statField(pid string, i int) (string, bool) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return fields[i], true
}
