package apiserver

// Controllers runs the controllers of Kubernetes that make pods of Deployments, and
// delete what a namespace holds and what belongs to what is gone.
func (s *Server) Controllers() {
	s.t.Helper()
	s.run("kube-controller-manager", "--kubeconfig", s.Kubeconfig(), "--leader-elect=false", "--use-service-account-credentials=false",
		"--secure-port", "0", "--service-account-private-key-file", "accounts.key",
		"--controllers", "namespace-controller,garbage-collector-controller,deployment-controller,replicaset-controller,serviceaccount-controller,root-ca-certificate-publisher-controller",
		"--root-ca-file", s.Config.CAFile)
}
