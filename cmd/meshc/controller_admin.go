package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// earlyAdmin answers operators and kubelets before there is anything to serve: a
// control plane that waits for its cluster is alive, and not ready.
type earlyAdmin struct {
	web     *http.Server
	handler atomic.Pointer[http.Handler]
}

// openAdmin listens on the admin address, which nobody else needs to do then.
func (f *controllerFlags) openAdmin(log *slog.Logger) (*earlyAdmin, error) {
	a := &earlyAdmin{}
	if f.admin == "" {
		return a, nil
	}
	l, err := net.Listen("tcp", f.admin)
	if err != nil {
		return nil, err
	}
	f.admin = ""
	log.Info("listening for operators", "address", l.Addr().String())
	waiting := http.NewServeMux()
	waiting.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }) // who asked may be gone
	waiting.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the cluster's policy is not known yet", http.StatusServiceUnavailable)
	})
	a.hand(waiting)
	a.web = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*a.handler.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := a.web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("operators are not answered any more", "error", err)
		}
	}()
	return a, nil
}

// hand lets another handler answer from now on.
func (a *earlyAdmin) hand(h http.Handler) { a.handler.Store(&h) }

func (a *earlyAdmin) close() {
	if a.web != nil {
		stopWeb(a.web)
	}
}
