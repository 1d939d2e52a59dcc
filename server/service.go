package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"groupcast/server/door"
	"groupcast/server/monitor"
	"groupcast/server/settings"
)

// service is a door for backends: it runs beside the WebSocket listeners and has
// listeners of its own. The server's goroutine calls drain, flush and close, in
// this order and once each (after a failed start, close alone); a reload and
// listeners may be called by others at any time before close.
type service interface {
	// listeners are shown to the operator; an outgoing connection has none.
	listeners() []monitor.Listener
	part
	// drain is told when the server begins to go away: from now on it is not
	// ready, and takes nobody new where that makes sense. It does not wait.
	// Publications need not be refused: the loops do that.
	drain()
	// flush gets out what the broker had in its order before the end. The
	// sessions have gone, or their time is over; the engine still answers.
	flush(ctx context.Context) error
	// close ends it at once, and waits for its goroutines.
	close() error
}

// openServices starts what backends use, in this order; they end in the opposite
// one. Each of these returns nil for what was not asked for.
func (s *Server) openServices() error {
	for _, open := range []func() (service, error){
		s.joinCluster,
		s.openChannel,
		s.joinChannel,
		s.openAPI,
	} {
		one, err := open()
		if err != nil {
			return err
		}
		if one != nil {
			s.services = append(s.services, one)
		}
	}
	if s.program.more != nil {
		s.services = append(s.services, s.program.more(s)...)
	}
	return nil
}

// flushServices lets all get out what they have.
func (s *Server) flushServices(ctx context.Context) error {
	var errs []error
	for _, one := range slices.Backward(s.services) {
		errs = append(errs, one.flush(ctx))
	}
	return errors.Join(errs...)
}

// closeServices ends all.
func (s *Server) closeServices() error {
	var errs []error
	for _, one := range slices.Backward(s.services) {
		errs = append(errs, one.close())
	}
	return errors.Join(errs...)
}

// openDoors opens a listener at each of addresses, or none of them.
func openDoors(setting string, addresses []string, mode FileMode) (doors []*door.Door, err error) {
	for _, text := range addresses {
		a, err := door.Parse(text)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", settings.Flag(setting), err), shutAll(doors))
		}
		d, err := door.Open(a, fs.FileMode(mode))
		if err != nil {
			return nil, errors.Join(err, shutAll(doors))
		}
		doors = append(doors, d)
	}
	return doors, nil
}

// shown is doors as an operator sees them; kind is one of the monitor's.
func shown(kind string, doors ...*door.Door) []monitor.Listener {
	all := make([]monitor.Listener, len(doors))
	for i, d := range doors {
		all[i] = monitor.Listener{Kind: kind, Address: d.Bound().String(), State: monitor.ListenerOK}
		if !d.IsOpen() {
			all[i].State = monitor.ListenerClosed
		}
	}
	return all
}

// shutAll closes every one of doors; it may be called twice.
func shutAll(doors []*door.Door) error {
	var errs []error
	for _, d := range doors {
		if err := d.Shut(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", d.Bound(), err))
		}
	}
	return errors.Join(errs...)
}
