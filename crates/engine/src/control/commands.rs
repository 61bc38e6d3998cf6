//! What apps decide, by the engine's handle.

use anser_domain::control::{AppSettings, AppSettingsChange};
use anser_domain::{AppId, Reject};

use super::rows;
use crate::engine::Engine;
use crate::tools::Tools;

impl Engine {
    /// The app's own settings, as this node knows them. What is `None` is as the operator's
    /// configuration says.
    #[must_use]
    pub fn app_settings(&self, app: AppId) -> AppSettings {
        self.core.tools.controls.settings(app)
    }

    /// The app's own settings, as they are stored.
    pub async fn stored_app_settings(&self, app: AppId) -> Result<AppSettings, Reject> {
        let row = super::row(&self.core.tools, app).await?;
        Ok(rows::settings(row.settings.as_ref()))
    }

    /// Changes the app's own settings: at once on this node, within a second or two on the
    /// others. Connections that are open obey them too.
    ///
    /// # Errors
    /// `INVALID_REQUEST` names the bounds that the change breaks.
    pub async fn change_app_settings(
        &self,
        app: AppId,
        change: &AppSettingsChange,
    ) -> Result<AppSettings, Reject> {
        self.check_running()?;
        let row = super::update(&self.core.tools, app, |row| {
            let new = rows::settings(row.settings.as_ref()).change(change)?;
            row.settings = Some(rows::settings_row(&new));
            Ok(())
        });
        Ok(rows::settings(row.await?.settings.as_ref()))
    }
}

/// The limits that hold for an app: its own, or else the operator's.
impl Tools {
    pub(crate) fn content_bytes_max(&self, app: AppId) -> usize {
        let own = self.controls.settings(app).content_bytes_max;
        own.map_or(self.settings.content_bytes_max, |own| own as usize)
    }

    pub(crate) fn recall_seconds(&self, app: AppId) -> u64 {
        let own = self.controls.settings(app).recall_seconds;
        own.map_or(self.settings.recall_seconds, u64::from)
    }

    pub(crate) fn edit_seconds(&self, app: AppId) -> u64 {
        let own = self.controls.settings(app).edit_seconds;
        own.map_or(self.settings.edit_seconds, u64::from)
    }
}
