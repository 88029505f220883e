/** Calls of the API about what a person has a right to, and how long conversations are kept. */
import { useMemo } from "react";
import { call, query } from "../api";
import { useClient } from "../context";
import type { Consent, ConsentPage, ConsentView, ErasurePage, ErasureView, ExportPage, ExportView, PolicyPage, PolicyView, PreviewView, Uuid } from "../types.gen";

export interface NewPolicy {
  readonly days: number;
  readonly closed_only: boolean;
  readonly inbox_id?: Uuid;
  readonly channel_account_id?: Uuid;
}

export interface NewConsent {
  readonly purpose: string;
  readonly state: Consent["state"];
  readonly basis: Consent["basis"];
  readonly source: string;
  readonly channel?: string;
}

export function usePrivacyCalls(): ReturnType<typeof privacyCalls> {
  const { workspaceId } = useClient();
  return useMemo(() => privacyCalls(workspaceId), [workspaceId]);
}

function privacyCalls(workspaceId: number) {
  const base = `/workspaces/${workspaceId}`;
  const of = (contactId: Uuid): string => `${base}/contacts/${contactId}`;
  return {
    policies: () => call<PolicyPage>("GET", `${base}/retention-policies${query({ limit: 200 })}`),
    previewPolicy: (policy: NewPolicy) => call<PreviewView>("POST", `${base}/retention-policies/preview`, policy),
    addPolicy: (policy: NewPolicy) => call<PolicyView>("POST", `${base}/retention-policies`, policy),
    removePolicy: (id: Uuid) => call<void>("DELETE", `${base}/retention-policies/${id}`),
    erasures: (limit: number) => call<ErasurePage>("GET", `${base}/erasures${query({ limit })}`),
    exports: (contactId: Uuid) => call<ExportPage>("GET", `${of(contactId)}/exports${query({ limit: 5 })}`),
    requestExport: (contactId: Uuid) => call<ExportView>("POST", `${of(contactId)}/exports`, {}),
    readExport: (contactId: Uuid, id: Uuid) => call<ExportView>("GET", `${of(contactId)}/exports/${id}`),
    previewErasure: (contactId: Uuid) => call<PreviewView>("GET", `${of(contactId)}/erasure-preview`),
    erase: (contactId: Uuid, digest: string) => call<ErasureView>("POST", `${of(contactId)}/erasures`, { digest }),
    consents: (contactId: Uuid) => call<ConsentPage>("GET", `${of(contactId)}/consents${query({ limit: 50 })}`),
    addConsent: (contactId: Uuid, consent: NewConsent) => call<ConsentView>("POST", `${of(contactId)}/consents`, consent),
  };
}
