package bus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/loop/wait"
)

// logText is what was logged.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count is how many lines have part in them.
func (l *logText) count(part string) int { return strings.Count(l.String(), part) }

// joined is a connection and all that it tells.
type joined struct {
	conn  *nats.Conn
	state *tracker
	log   logText

	mu     sync.Mutex
	events []string // what handlers were called, in order, without those of attempts
	failed []error
	tries  atomic.Int64
}

func (j *joined) event(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, text)
}

func (j *joined) heard() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

func (j *joined) failures() []error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.failed)
}

func (j *joined) handlers() handlers {
	return handlers{
		connected:    func(string) { j.event("connected") },
		reconnected:  func(string) { j.event("reconnected") },
		disconnected: func(error) { j.event("disconnected") },
		closed:       func() { j.event("closed") },
		slow:         func(*nats.Subscription) { j.event("slow") },
		tried:        func(string, error) { j.tries.Add(1) },
		failed: func(err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.failed = append(j.failed, err)
		},
	}
}

// tryTo connects with o.
func tryTo(t testing.TB, o Options, more ...nats.Option) (*joined, error) {
	t.Helper()
	j := &joined{}
	j.state = newTracker(o, slog.New(slog.NewTextHandler(&j.log, nil)))
	conn, err := connect(o, j.state.follow(j.handlers()), more...)
	if err == nil {
		j.conn = conn
		t.Cleanup(conn.Close)
	}
	return j, err
}

func join(t testing.TB, o Options, more ...nats.Option) *joined {
	t.Helper()
	j, err := tryTo(t, o, more...)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// at are options with these servers; each is HOST:PORT, or has a scheme in front.
func at(servers ...string) Options {
	o := DefaultOptions()
	o.Node = "a"
	for _, one := range servers {
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		o.Servers = append(o.Servers, one)
	}
	return o
}

func connectedTo(t testing.TB, s *server.Server) *joined {
	t.Helper()
	j := join(t, at(addressOf(s)))
	j.until(t, StateUp)
	return j
}

func (j *joined) until(t testing.TB, s State) {
	t.Helper()
	wait.Until(t, "the state "+s.String(), func() bool { return j.state.Status().State == s })
}

// attempts waits for n more of them that fail.
func (j *joined) attempts(t testing.TB, n int64) {
	t.Helper()
	before := j.tries.Load()
	wait.Until(t, "attempts", func() bool { return j.tries.Load() >= before+n })
}

// tells holds that the log has part once.
func (j *joined) tells(t testing.TB, part string) {
	t.Helper()
	if n := j.log.count(part); n != 1 {
		t.Errorf("%q was logged %d times:\n%s", part, n, j.log.String())
	}
}

// hides holds that no secret is in what an operator sees.
func (j *joined) hides(t testing.TB, secrets ...string) {
	t.Helper()
	status, err := json.Marshal(j.state.Status())
	if err != nil {
		t.Fatal(err)
	}
	all := j.log.String() + string(status) + fmt.Sprint(j.failures())
	for _, secret := range secrets {
		if secret != "" && strings.Contains(all, secret) {
			t.Errorf("%q is shown in:\n%s", secret, all)
		}
	}
}

// nobody is a HOST:PORT at which nothing listens.
func nobody(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Without a server connect returns, the operator is told once, and the connection is there as
// soon as a server is.
func TestNoServerAtTheStart(t *testing.T) {
	gone := runServer(t)
	stopServer(gone)
	j := join(t, at(addressOf(gone)))
	j.attempts(t, 5)
	if s := j.state.Status(); s.State != StateConnecting || s.LastReason != ReasonUnreachable || s.Server != "" {
		t.Errorf("%+v", s)
	}
	j.tells(t, "bus: no NATS server reachable yet, trying on")
	runServer(t, onPortOf(gone))
	j.until(t, StateUp)
	if s := j.state.Status(); s.Server != addressOf(gone) || s.Reconnects != 0 {
		t.Errorf("%+v", s)
	}
	j.tells(t, "bus: connected")
	wait.Until(t, "a handler", func() bool { return len(j.heard()) > 0 })
	if got := strings.Join(j.heard(), " "); got != "connected" {
		t.Errorf("heard %s", got)
	}
}

// stuck is a dialer that waits.
type stuck struct{ until chan struct{} }

func (s stuck) Dial(string, string) (net.Conn, error) {
	<-s.until
	return nil, errors.New("let go")
}

// A host that does not answer does not hold the start.
func TestConnectDoesNotWait(t *testing.T) {
	d := stuck{make(chan struct{})}
	j := join(t, at("192.0.2.1:4222", "192.0.2.2:4222"), nats.SetCustomDialer(d)) // it would hang here
	if s := j.state.Status().State; s != StateConnecting {
		t.Errorf("it is %s", s)
	}
	close(d.until)
	j.attempts(t, 1)
}

// A server that goes and comes back: away and up again, both told once.
func TestServerComesBack(t *testing.T) {
	s := runServer(t)
	j := connectedTo(t, s)
	stopServer(s)
	j.until(t, StateAway)
	j.attempts(t, 3)
	if s := j.state.Status(); s.State != StateAway || s.Server != "" || s.LastError == "" {
		t.Errorf("%+v", s)
	}
	runServer(t, onPortOf(s))
	j.until(t, StateUp)
	wait.Until(t, "a handler", func() bool { return slices.Contains(j.heard(), "reconnected") })
	if got := strings.Join(j.heard(), " "); got != "connected disconnected reconnected" {
		t.Errorf("heard %s", got)
	}
	if s := j.state.Status(); s.Reconnects != 1 {
		t.Errorf("%+v", s)
	}
	j.tells(t, "bus: away, trying again")
	if j.log.count("\n") != 3 {
		t.Errorf("logged:\n%s", j.log.String())
	}
	j.conn.Close()
	j.until(t, StateClosed)
	if s := j.state.Status(); s.Server != "" {
		t.Errorf("%+v", s)
	}
}

// With Require the start ends where no server can be used, and the error has each server's reason.
func TestRequire(t *testing.T) {
	guarded := runServer(t, func(o *server.Options) { o.Username, o.Password = "u", "good" })
	free := nobody(t)
	o := at(free, "")
	o.Servers[1] = "nats://u:s3cret@" + addressOf(guarded)
	o.Require = true
	j, err := tryTo(t, o)
	if err == nil {
		t.Fatal("there is no server that takes the node")
	}
	for _, want := range []string{
		"--nats-require: wants a NATS server", "nats://" + free + ", nats://" + addressOf(guarded),
		free + ": unreachable: ", "connection refused", addressOf(guarded) + ": authorization: nats: Authorization Violation",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the secret is shown: %v", err)
	}
	if got := j.heard(); len(got) > 0 || j.log.String() != "" {
		t.Errorf("heard %s, logged %s", got, j.log.String())
	}
	o.Servers[1] = "nats://u:good@" + addressOf(guarded)
	j, err = tryTo(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if s := j.state.Status(); s.State != StateUp || s.Server != addressOf(guarded) {
		t.Errorf("%+v", s)
	}
	// From here on it is as without.
	stopServer(guarded)
	j.until(t, StateAway)
	j.attempts(t, 1)
}

// Where one server does not answer and another one refuses the node, the operator is told both,
// each once, whatever the order; the state is the one that needs him.
func TestOneRefusesAnotherIsGone(t *testing.T) {
	guarded := runServer(t, func(o *server.Options) { o.Authorization = "good" })
	j := join(t, at(nobody(t), nobody(t), "nats://s3cret@"+addressOf(guarded)))
	j.until(t, StateRefused)
	j.attempts(t, 9)
	if s := j.state.Status(); s.State != StateRefused {
		t.Errorf("%+v", s)
	}
	j.tells(t, "bus: NATS does not take this node's credentials")
	j.tells(t, "bus: no NATS server reachable yet")
	j.hides(t, "s3cret")
	restartServer(t, guarded)
	j.until(t, StateUp)
}

// A user is told which subject he may not publish or subscribe to; the connection stays.
func TestPermissionViolation(t *testing.T) {
	s := runServer(t, func(o *server.Options) {
		o.Users = []*server.User{{
			Username: "u", Password: "s3cret", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"a.>"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"a.>"}},
			},
		}}
	})
	j := join(t, at("nats://u:s3cret@"+addressOf(s)))
	j.until(t, StateUp)
	if err := j.conn.Publish(`b."x`, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := j.conn.ChanSubscribe("b.*", make(chan *nats.Msg, 1)); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "two violations", func() bool { return len(j.failures()) == 2 })
	for i, want := range []violation{{"publish", `b."x`}, {"subscribe", "b.*"}} {
		err := j.failures()[i]
		if got, ok := violationOf(err); !ok || got != want || reasonOf(err) != ReasonPermission {
			t.Errorf("%v: got %+v, %v, %s", err, got, ok, reasonOf(err))
		}
	}
	if s := j.state.Status(); s.State != StateUp || !strings.Contains(s.LastError, `Subscription to "b.*"`) {
		t.Errorf("%+v", s)
	}
}

// A channel that is full is told by its subscription.
func TestSlowConsumer(t *testing.T) {
	s := runServer(t)
	j, other := connectedTo(t, s), connectedTo(t, s)
	if _, err := j.conn.ChanSubscribe("x", make(chan *nats.Msg, 1)); err != nil || j.conn.Flush() != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := other.conn.Publish("x", nil); err != nil {
			t.Fatal(err)
		}
	}
	wait.Until(t, "a word of it", func() bool { return slices.Contains(j.heard(), "slow") })
}

// What this node publishes does not come back to it.
func TestNoEcho(t *testing.T) {
	j := connectedTo(t, runServer(t))
	in := make(chan *nats.Msg, 2)
	if _, err := j.conn.ChanSubscribe("x", in); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.conn.Publish("x", nil), j.conn.Flush()); err != nil || len(in) > 0 {
		t.Errorf("%d came back, %v", len(in), err)
	}
}

// While no server is there nothing is kept by nats.go: what becomes of it, the caller decides.
func TestNothingIsKept(t *testing.T) {
	s := runServer(t)
	early := join(t, at(nobody(t)))
	if err := early.conn.Publish("x", nil); reasonOf(err) != ReasonUnreachable {
		t.Errorf("before the first connection: %v", err)
	}
	j := connectedTo(t, s)
	stopServer(s)
	j.until(t, StateAway)
	if err := j.conn.Publish("x", nil); reasonOf(err) != ReasonUnreachable {
		t.Errorf("between two: %v", err)
	}
}

// pipe is a proxy to a server that can stand still: then it takes nothing from either side, and
// keeps the connections.
type pipe struct {
	ln   net.Listener
	to   string
	mu   sync.Mutex
	gate chan struct{} // closed: it runs
	all  []net.Conn
	away bool // connections are ended at once
	wg   sync.WaitGroup
}

// cut ends all connections, and each new one until mend.
func (p *pipe) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for _, c := range p.all {
		c.Close()
	}
	p.all = nil
}

// say has all who are connected hear text from their server.
func (p *pipe) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(p.all); i += 2 {
		_, _ = p.all[i].Write([]byte(text))
	}
}

func (p *pipe) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

func newPipe(t testing.TB, to string) *pipe {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{ln: ln, to: to, gate: make(chan struct{})}
	close(p.gate)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		ln.Close()
		p.run()
		p.mu.Lock()
		for _, c := range p.all {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *pipe) accept() {
	for {
		in, err := p.ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		if p.away {
			in.Close()
			out.Close()
		}
		p.all = append(p.all, in, out)
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(in, out) })
		p.wg.Go(func() { p.copy(out, in) })
	}
}

func (p *pipe) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		p.wait()
		if _, wrong := to.Write(buffer[:n]); err != nil || wrong != nil {
			return
		}
	}
}

func (p *pipe) wait() {
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	<-gate
}

func (p *pipe) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = make(chan struct{})
}

func (p *pipe) run() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// A server that stands still is noticed by pings alone, and while something is written; when it
// goes on the node is back.
func TestServerStandsStill(t *testing.T) {
	for name, write := range map[string]bool{"idle": false, "writing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPipe(t, addressOf(runServer(t)))
			j := join(t, at(p.ln.Addr().String()))
			j.until(t, StateUp)
			p.stop()
			for message := make([]byte, 64<<10); write && j.state.Status().State == StateUp; {
				if err := j.conn.Publish("x", message); err != nil {
					break
				}
			}
			j.until(t, StateAway)
			if s := j.state.Status(); s.LastReason != ReasonTimeout {
				t.Errorf("%+v", s)
			}
			j.attempts(t, 1)
			p.run()
			j.until(t, StateUp)
			j.tells(t, "bus: away, trying again")
			if got := j.log.count("\n"); got != 3 { // connected, away, connected
				t.Errorf("logged:\n%s", j.log.String())
			}
		})
	}
}

// refusing is a connection that takes nothing while full is set, and stays.
type refusing struct {
	net.Conn

	full *atomic.Bool
}

func (r refusing) Write(p []byte) (int, error) {
	if r.full.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	return r.Conn.Write(p)
}

// refusingDialer makes such connections.
type refusingDialer struct{ full atomic.Bool }

func (d *refusingDialer) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address)
	return refusing{conn, &d.full}, err
}

// What was in a write of which the server took nothing is lost. So the connection is, too, and the
// writer knows of it; otherwise it would go on as if nothing was.
func TestLostWriteEndsTheConnection(t *testing.T) {
	d := &refusingDialer{}
	s := runServer(t)
	j := join(t, at(addressOf(s)), nats.SetCustomDialer(d))
	j.until(t, StateUp)
	d.full.Store(true)
	if err := j.conn.Publish("x", nil); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "a word of it", func() bool { return len(j.failures()) > 0 })
	d.full.Store(false)
	wait.Until(t, "the next connection", func() bool { return j.state.Status().Reconnects == 1 })
	if got := reasonOf(j.failures()[0]); got != ReasonTimeout {
		t.Errorf("the reason is %s", got)
	}
}

// says is a NATS server that greets a client and then says one thing.
func says(t testing.TB, last string, end bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				fmt.Fprint(c, "INFO {\"server_id\":\"x\",\"version\":\"2.15.0\",\"proto\":1,\"max_payload\":1024}\r\n")
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if lines.Text() != "PING" {
						continue
					}
					fmt.Fprint(c, "PONG\r\n"+last)
					if end {
						return
					}
				}
			})
		}
	})
	return ln.Addr().String()
}

// Credentials that end while the connection is there are the cause that the operator is told, and
// not the end of the connection that follows.
func TestCredentialsEnd(t *testing.T) {
	j := join(t, at(says(t, "-ERR 'User Authentication Expired'\r\n", true)))
	wait.Until(t, "away", func() bool { return j.log.count("bus: away") > 0 })
	first, _, _ := strings.Cut(j.log.String()[strings.Index(j.log.String(), "bus: away"):], "\n")
	if !strings.Contains(first, "reason=authorization") || !strings.Contains(first, "authentication expired") {
		t.Error(first)
	}
}

// What nats.go does not know ends its connection for good, and is told.
func TestClosedByNATS(t *testing.T) {
	j := join(t, at(says(t, "-ERR 'A Word Of Tomorrow'\r\n", false)))
	j.until(t, StateClosed)
	wait.Until(t, "a handler", func() bool { return slices.Contains(j.heard(), "closed") })
	if !j.conn.IsClosed() {
		t.Error("it goes on")
	}
}

// Nobody needs to hear anything.
func TestNoHandlers(t *testing.T) {
	s := runServer(t)
	conn, err := connect(at(addressOf(s)), handlers{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wait.Until(t, "the connection", conn.IsConnected)
	restartServer(t, s)
	wait.Until(t, "the connection again", conn.IsConnected)
}

// Of an address that a name has, one that does not answer does not keep the node from the next.
func TestDialTriesAllAddresses(t *testing.T) {
	s := runServer(t)
	j := join(t, at("localhost:"+fmt.Sprint(portOf(s)))) // mostly ::1 as well, where nothing listens
	j.until(t, StateUp)
	if got := j.state.Status().Server; got != "localhost:"+fmt.Sprint(portOf(s)) {
		t.Errorf("connected to %s", got)
	}
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	rewrite(t, path, text)
	return path
}

func rewrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
