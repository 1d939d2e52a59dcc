package server

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"groupcast/server/api"
	"groupcast/server/door"
)

// profiler serves Go's profiles on an address of its own, for an engineer who looks
// into a running server: go tool pprof http://HOST:PORT/debug/pprof/profile.
// Owner: the Server.
type profiler struct {
	listener net.Listener
	server   http.Server
	done     chan struct{}
}

// maxProfileBody bounds what is asked of /debug/pprof/symbol.
const maxProfileBody = 1 << 20

// startProfiler serves profiles on addr, which has to be a loopback address:
// a profile tells much about a process, and taking one slows it down. So no page in a
// browser on this machine may ask for one either, whatever name it gives the address.
func startProfiler(addr string) (*profiler, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, door.Reason(err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	guarded := api.NewSiteGuard(nil).Protect(http.MaxBytesHandler(mux, maxProfileBody))
	p := &profiler{
		listener: listener,
		server:   http.Server{Handler: guarded, ReadHeaderTimeout: 5 * time.Second},
		done:     make(chan struct{}),
	}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener) // returns when stop closes it
	}()
	return p, nil
}

func (p *profiler) stop() error {
	err := p.server.Close()
	<-p.done
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("close %s: %w", p.listener.Addr(), err)
	}
	return nil
}
