package bus

import (
	"net"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"groupcast/loop/leak"
	"groupcast/loop/wait"
	"groupcast/protocol"
)

// TestMain checks that the tests leave no goroutine and no descriptor behind: those of a NATS
// server that has been shut down end a moment later, for which leak waits.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, protocol.Pretouch)) }

// runServer is a NATS server in the process, on a port of loopback that is free. It ends with
// the test.
func runServer(t testing.TB, set ...func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true}
	for _, one := range set {
		one(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopServer(s) })
	go s.Start()
	if !s.ReadyForConnections(wait.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

// stopServer ends s, if it has not ended yet, and returns when its port is free.
func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// onPortOf has a server listen where s did.
func onPortOf(s *server.Server) func(*server.Options) {
	return func(o *server.Options) { o.Port = portOf(s) }
}

func portOf(s *server.Server) int {
	u, err := url.Parse(s.ClientURL())
	if err != nil {
		panic(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		panic(err)
	}
	return port
}

// addressOf is HOST:PORT where clients of s connect.
func addressOf(s *server.Server) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(portOf(s)))
}

// restartServer ends s and starts another one on the same port.
func restartServer(t testing.TB, s *server.Server, set ...func(*server.Options)) *server.Server {
	t.Helper()
	stopServer(s)
	return runServer(t, append(set, onPortOf(s))...)
}

// routesOfPeer is how many connections a server has to each other one: those that accounts
// share, and that of the system's account.
const routesOfPeer = server.DEFAULT_ROUTE_POOL_SIZE + 1

// runCluster is n servers, each with routes to all others.
func runCluster(t testing.TB, n int) []*server.Server {
	t.Helper()
	var all []*server.Server
	for i := range n {
		member := func(o *server.Options) {
			o.ServerName = "n" + strconv.Itoa(i)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: -1}
			if i > 0 {
				o.Routes = []*url.URL{{Scheme: "nats", Host: all[0].ClusterAddr().String()}}
			}
		}
		all = append(all, runServer(t, member))
	}
	wait.Until(t, "routes between all servers", func() bool {
		for _, s := range all {
			if s.NumRoutes() < (n-1)*routesOfPeer {
				return false
			}
		}
		return true
	})
	return all
}

// A message crosses the three servers, and a server that comes again has the port that it had.
func TestServersOfTests(t *testing.T) {
	all := runCluster(t, 3)
	a, b := connectedTo(t, all[0]), connectedTo(t, all[2])
	sub, err := b.conn.SubscribeSync("x")
	if err != nil || b.conn.Flush() != nil {
		t.Fatal(err)
	}
	wait.Until(t, "a message that crosses", func() bool {
		if err := a.conn.Publish("x", nil); err != nil {
			t.Fatal(err)
		}
		_, err := sub.NextMsg(100 * time.Millisecond)
		return err == nil
	})
	one := runServer(t)
	if again := restartServer(t, one); addressOf(again) != addressOf(one) {
		t.Errorf("%s became %s", addressOf(one), addressOf(again))
	}
}
