package workerman

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// script is a PHP program of testdata that runs.
type script struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

// startScript skips the test where there is no PHP.
func startScript(t *testing.T, arguments ...string) *script {
	t.Helper()
	path, err := exec.LookPath("php")
	if err != nil {
		t.Skip("NO PHP: not tested with real programs; to do so: sudo apt-get install php-cli")
	}
	cmd := exec.Command(path, append([]string{"-n"}, arguments...)...)
	cmd.Stderr = t.Output()
	s := &script{t: t}
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.in.Close() // which ends it
		_ = cmd.Wait()
	})
	return s
}

func (s *script) next() string {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatalf("the PHP program ended: %v", s.out.Err())
	}
	return s.out.Text()
}

func (s *script) want(line string) {
	s.t.Helper()
	if got := s.next(); got != line {
		s.t.Fatalf("PHP got %s, want %s", got, line)
	}
}

// publish has it publish data, as JSON, on the groups' channel.
func (s *script) publish(data string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, `{"channel":"send_to_group","data":`+data+"}\n"); err != nil {
		s.t.Fatal(err)
	}
}

func startWorker(t *testing.T, addr string) *script {
	t.Helper()
	s := startScript(t, "testdata/worker.php", addr)
	s.want("ready")
	return s
}

// TestPHPWorkers: real PHP programs, with real browsers' commands between them.
func TestPHPWorkers(t *testing.T) {
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	a, b := startWorker(t, s.addr), startWorker(t, s.addr)
	m := join(t, url, "123", "grün")
	both := func(line string) {
		t.Helper()
		a.want(line)
		b.want(line)
	}
	a.publish(`{"group_id":"123","message":"grüße \" \\ \n"}`)
	m.want("grüße \" \\ \n")
	both(`{"group_id":"123","message":"grüße \" \\ \n"}`)
	b.publish(`{"group_id":123,"message":42,"extra":{"a":[1.5,null,true]}}`)
	m.want("42")
	both(`{"group_id":123,"message":42,"extra":{"a":[1.5,null,true]}}`)
	m.send(`{"cmd":"send_to_group","group_id":"grün","message":"世界"}`)
	m.want("世界")
	both(`{"group_id":"grün","message":"世界"}`)
	m.send(`{"cmd":"send_to_group","group_id":123,"message":{"x":[1,2]}}`)
	m.want(`{"x":[1,2]}`)
	both(`{"group_id":"123","message":"{\"x\":[1,2]}"}`)
	a.publish(`["no","group"]`)
	both(`["no","group"]`)
	if st := s.Stats(); sumOf(st.Bad.All()) != 0 || st.Bridge.ToGroups.Load() != 2 {
		t.Errorf("%+v", st)
	}
}

// TestPHPOrder: PHP programs that publish at once see one order, the members' own.
func TestPHPOrder(t *testing.T) {
	const each = 300
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	workers := []*script{startWorker(t, s.addr), startWorker(t, s.addr)}
	m := join(t, url, "g")
	var publishing errgroup.Group
	for i, w := range workers {
		publishing.Go(func() error {
			for j := range each {
				if _, err := fmt.Fprintf(w.in, `{"channel":"send_to_group","data":{"group_id":"g","message":"%d-%d"}}`+"\n", i,
					j); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var want []string
	for range len(workers) * each {
		want = append(want, m.next())
	}
	for _, w := range workers {
		var got []string
		for range want {
			_, text, _ := strings.Cut(w.next(), `"message":"`)
			got = append(got, strings.TrimSuffix(text, `"}`))
		}
		if !slices.Equal(got, want) {
			t.Error("a PHP program saw another order")
		}
	}
	if err := publishing.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestPHPCluster: a groupcast in the place of one of the workers of a server written in PHP.
func TestPHPCluster(t *testing.T) {
	server := startScript(t, "testdata/server.php")
	addr := server.next()
	worker := startWorker(t, addr)
	a, b := startSite(t), startSite(t)
	ca, cb := a.join(t, addr, nil), b.join(t, addr, nil)
	m, n := join(t, a.url, "g"), join(t, b.url, "g")
	// Connected is not yet subscribed: until each has had something of the worker's.
	subscribed := func(c *Client) func() bool {
		return func() bool {
			worker.publish(`{"group_id":"hello","message":"?"}`)
			worker.want(`{"group_id":"hello","message":"?"}`)
			return c.Status().Received.Load() > 0
		}
	}
	eventually(t, "a's subscription", subscribed(ca))
	eventually(t, "b's subscription", subscribed(cb))

	worker.publish(`{"group_id":"g","message":"from PHP"}`)
	worker.want(`{"group_id":"g","message":"from PHP"}`)
	m.want("from PHP")
	n.want("from PHP")
	m.send(`{"cmd":"send_to_group","group_id":"g","message":"from a browser"}`)
	m.want("from a browser")
	n.want("from a browser")
	worker.want(`{"group_id":"g","message":"from a browser","groupcast":"text ` + a.node.ID + `"}`)
	n.send(`{"cmd":"send_to_group","group_id":"g","message":[1,"ü"]}`)
	m.want(`[1,"ü"]`)
	n.want(`[1,"ü"]`)
	worker.want(`{"group_id":"g","message":"[1,\"ü\"]","groupcast":"json ` + b.node.ID + `"}`)
	quiesce(t, func() uint64 { return ca.Status().Own.Load() }, 1)
	quiesce(t, func() uint64 { return cb.Status().Own.Load() }, 1)
}
