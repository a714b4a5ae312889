package server

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminHandler answers what operators ask: /healthz, /readyz, /metrics, /status,
// /bundle/FILE (the files of the bundle that is served; none holds a secret), and
// with profiles /debug/pprof. It changes nothing, and it tells of every proxy:
// serve it on loopback, or where only operators reach it.
func (s *Server) AdminHandler(profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.ctx.Err() != nil || s.cache.World() == nil {
			writeText(w, http.StatusServiceUnavailable, "no world is loaded")
			return
		}
		writeText(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		_ = enc.Encode(s.Status()) // the client may be gone
	})
	mux.HandleFunc("GET /bundle/{file...}", func(w http.ResponseWriter, r *http.Request) {
		world := s.cache.World()
		if world == nil {
			writeText(w, http.StatusServiceUnavailable, "no world is loaded")
			return
		}
		data, ok := world.Bundle().Files()[r.PathValue("file")]
		if !ok {
			writeText(w, http.StatusNotFound, "the bundle has no such file")
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(data) // the client may be gone
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{Registry: s.metrics.registry}))
	if profiles {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n")) // the client may be gone
}
