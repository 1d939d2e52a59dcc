package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gobwas/ws"

	"groupcast/protocol"
	"groupcast/server/problem"
)

// maxBodyBytes bounds the body of a request under /control/.
const maxBodyBytes = 4 << 10

// Handler answers what is under /control/ for p, and leaves the rest to api,
// which may be nil.
func Handler(p Process, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control/v1/info", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, p.Info())
	})
	mux.HandleFunc("GET /control/v1/command", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, p.Command())
	})
	mux.HandleFunc("POST /control/v1/stop", func(w http.ResponseWriter, r *http.Request) { stop(p, w, r) })
	mux.HandleFunc("POST /control/v1/reload", func(w http.ResponseWriter, r *http.Request) { reload(p, w, r) })
	handleChannel(mux, p.Channel)
	missing := func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, errors.New("there is nothing at this path"))
	}
	mux.HandleFunc("/control/", missing)
	// Not a route of this mux: it would answer a path that is not clean (a group
	// called "..") with a redirect, which is for the API to decide.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		switch {
		case pattern != "":
			mux.ServeHTTP(w, r)
		case api != nil:
			api.ServeHTTP(w, r)
		default:
			missing(w, r)
		}
	})
}

func stop(p Process, w http.ResponseWriter, r *http.Request) {
	wanted := Stop{}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&wanted)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind it")
		}
	}
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("wants a body like {\"graceful\":false,\"code\":1001}: %w", err))
		return
	}
	if wanted.Code == 0 {
		wanted.Code = ws.StatusGoingAway
	}
	if wanted.Code != ws.StatusGoingAway && wanted.Code != protocol.StatusServiceRestart {
		fail(w, http.StatusUnprocessableEntity, fmt.Errorf("code: wants 1001 or 1012, got %d", wanted.Code))
		return
	}
	if err := p.Stop(wanted); err != nil {
		fail(w, http.StatusConflict, err)
		return
	}
	info := p.Info()
	answer(w, http.StatusAccepted, Stopping{PID: info.PID, DrainSeconds: info.DrainSeconds})
}

func reload(p Process, w http.ResponseWriter, r *http.Request) {
	done, err := p.Reload(r.Context())
	switch {
	case errors.Is(err, ErrSettings):
		fail(w, http.StatusUnprocessableEntity, err)
	case errors.Is(err, ErrStopping), errors.Is(err, ErrNoReload):
		fail(w, http.StatusConflict, err)
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err)
	default:
		answer(w, http.StatusOK, done)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // structs of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // who is gone misses nothing
}

// fail answers with a problem. An error that joins several gives a line for each.
func fail(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Cache-Control", "no-store")
	problem.Of(status, err).Write(w)
}
