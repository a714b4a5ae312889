package lab

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"time"

	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/lab/pod"
)

// envoyUID is the user Envoy runs as where the lab has more than one.
const envoyUID = 1500

// tokenLife outlives any lab that somebody watches.
const tokenLife = 30 * 24 * time.Hour

// Files of an Envoy, in its pod's own memory.
var (
	bootstrapFile = "bootstrap.json"
	secretsFile   = "secrets.json"
	tokenFile     = "token"
)

// startEnvoy gives a pod its join token and starts its proxy, whose access log
// goes to the journal.
func (l *Lab) startEnvoy(p *Pod) error {
	files, err := l.envoyFiles(p)
	if err != nil {
		return fmt.Errorf("pod %s: %w", p.ID(), err)
	}
	log, err := os.OpenFile(l.ground.log(p, "envoy"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	go func() {
		defer log.Close()
		defer read.Close()
		l.journal.follow(p.ID(), read, log)
	}()
	args := pod.Envoy{Path: l.envoy, Args: l.envoyArgs(), Files: files, Env: append(os.Environ(), bootstrap.Env(p.Identity)...)}
	if !l.rootless {
		args.UID = envoyUID
	}
	err = l.ground.ask(p.ID(), pod.OpEnvoy, args, nil, write, log)
	write.Close()
	if err != nil {
		return fmt.Errorf("%w; its log is %s", err, l.ground.log(p, "envoy"))
	}
	return nil
}

func (l *Lab) envoyFiles(p *Pod) (map[string][]byte, error) {
	raw, err := l.plane.Token(p.Identity, p.ID())
	if err != nil {
		return nil, err
	}
	opts := bootstrap.Options{
		Identity: p.Identity, Workload: p.ID(), ControlPlane: l.site("").Address.String(), CA: l.plane.Roots(),
		TokenFile: path.Join(pod.EnvoyDir, tokenFile), SecretsFile: path.Join(pod.EnvoyDir, secretsFile),
		IPv4Only: !l.ground.box.IPv6,
	}
	if l.rootless {
		opts.Mark = envoyUID
	}
	start, err := bootstrap.JSON(opts)
	if err != nil {
		return nil, err
	}
	secrets, err := bootstrap.Secrets(opts)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{tokenFile: []byte(raw), secretsFile: secrets, bootstrapFile: start}, nil
}

// envoyArgs are those of every proxy. One worker keeps its access log in order of
// time, and the log is written out at once: verdicts are read from it.
func (l *Lab) envoyArgs() []string {
	drain := max(1, int(l.Compiled().Mesh.Settings.TCPDrain/time.Second))
	return []string{
		"--config-path", path.Join(pod.EnvoyDir, bootstrapFile), "--concurrency", "1", "--disable-hot-restart",
		"--log-level", "warning", "--file-flush-interval-msec", "10", "--drain-time-s", strconv.Itoa(drain),
	}
}

// interception is the exemption that fits how this lab runs its Envoys.
func (l *Lab) interception() pod.Intercept {
	if l.rootless {
		return pod.Intercept{Mark: envoyUID}
	}
	return pod.Intercept{UID: envoyUID}
}
