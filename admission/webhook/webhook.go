// Package webhook is the HTTPS server that an API server asks: whether objects may
// come (/validate), what is put into pods (/mutate), and how objects read in another
// version of their API (/convert). Whatever goes wrong in it is an answer that API
// servers take for a failure, never for a yes. It does not know how the cluster is
// watched, nor where its certificate comes from.
package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshc/meshc/admission/convert"
	"github.com/meshc/meshc/admission/validate"
)

// The paths, which webhook configurations and definitions name.
const (
	ValidatePath = "/validate"
	MutatePath   = "/mutate"
	ConvertPath  = "/convert"
)

// Bounds of a call. API servers give up after 30 seconds at the latest, and ask for
// the conversion of a whole list at once.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 2 * time.Minute
	// connectionCalls are how many calls a connection may have open.
	connectionCalls = 100
)

// Options of a Server. The zero value converts and refuses the rest.
type Options struct {
	Validate *validate.Handler // nil: /validate is not there
	Inject   *Injector         // nil: /mutate is not there
	// Certificate is that of the moment; required by Serve.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Clients are whom a client's certificate must be of to have anything judged or
	// injected, at the moment; nil: whoever comes is answered. Conversions, which tell
	// nothing of a mesh, need none: API servers have no way to be given one for them.
	Clients  func() (*x509.CertPool, error)
	Registry prometheus.Registerer // nil: nothing is counted
	Log      *slog.Logger          // slog.Default()
}

// Server answers API servers.
type Server struct {
	opts    Options
	metrics *metrics
	mux     *http.ServeMux
	http    *http.Server
	places  *places
	leaving atomic.Bool
}

// New makes a server. An error means that its metrics are registered already.
func New(opts Options) (*Server, error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	s := &Server{opts: opts, metrics: newMetrics(), mux: http.NewServeMux(), places: newPlaces()}
	if opts.Registry != nil {
		if err := s.metrics.register(opts.Registry); err != nil {
			return nil, err
		}
	}
	if h := opts.Validate; h != nil {
		own := *h
		own.Decided = s.metrics.decided("validate", h.Decided)
		s.route(ValidatePath, "validate", s.known(s.places.bounded(longReview, &own)))
	}
	if h := opts.Inject; h != nil {
		own := *h
		own.Decided = s.metrics.decided("mutate", h.Decided)
		s.route(MutatePath, "mutate", s.known(s.places.bounded(longReview, &own)))
	}
	s.route(ConvertPath, "convert", s.places.bounded(maxConversion, http.HandlerFunc(s.convert)))
	s.http = &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug),
		TLSConfig: s.tlsConfig(), HTTP2: &http.HTTP2Config{MaxConcurrentStreams: connectionCalls},
	}
	return s, nil
}

// ServeHTTP answers one call, as over the network.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.leaving.Load() {
		w.Header().Set("Connection", "close") // over HTTP/2: GOAWAY
	}
	s.mux.ServeHTTP(w, r)
}

// Serve answers on a listener, over TLS, until Shutdown; the error is then nil.
func (s *Server) Serve(l net.Listener) error {
	if s.opts.Certificate == nil {
		return errors.New("webhooks: there is no certificate to serve with")
	}
	if err := s.http.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Leave answers on, and with every answer has the caller open another connection for its
// next call: API servers keep theirs for as long as they can, past the moment at which the
// cluster knows that this replica goes. None is closed before it was told so: a call that
// is on its way meanwhile is lost.
func (s *Server) Leave() { s.leaving.Store(true) }

// Shutdown stops listening and waits for the calls that are under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

// route puts a handler behind a path: POST only, its time measured, its panics caught.
func (s *Server) route(path, name string, h http.Handler) {
	s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		start, seen := time.Now(), &watched{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				s.opts.Log.Error("a webhook failed; the API server is told to refuse", "webhook", name, "panic", p)
				if !seen.wrote {
					http.Error(seen, "meshc failed while it judged this; see the controller's log", http.StatusInternalServerError)
				} else {
					panic(http.ErrAbortHandler) // half an answer must not be taken for a whole one
				}
			}
			s.metrics.took(name, time.Since(start))
			if seen.status >= http.StatusBadRequest {
				s.metrics.failed(name, seen.status)
			}
		}()
		h.ServeHTTP(seen, r)
	})
}

// convert answers a ConversionReview.
func (s *Server) convert(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxConversion))
	if err != nil {
		http.Error(w, "the review cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	out, refused, err := convert.Review(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.metrics.converted(refused)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out) // who asked is gone
}

// Unwrap is for who sets deadlines.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// watched notes what was answered.
type watched struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (w *watched) WriteHeader(status int) {
	w.status, w.wrote = status, true
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if !w.wrote {
		w.status, w.wrote = http.StatusOK, true
	}
	return w.ResponseWriter.Write(b)
}
