//! What the door does by itself: blocks, settings, and what a client has kept.

use super::fail::warning;
use super::portal::{Command, described, text_fields};
use super::session::{Failure, Session, unshown};
use pgwire::api::results::{DataRowEncoder, FieldInfo};
use pgwire::messages::PgWireBackendMessage as Say;
use pgwire::messages::response::TransactionStatus;
use std::sync::Arc;

impl Session<'_> {
    pub(super) async fn command(
        &mut self,
        command: &Command,
        describe: bool,
    ) -> Result<(), Failure> {
        let ends = matches!(command, Command::Commit | Command::Rollback);
        if !ends {
            self.may_run()?;
        }
        let mut tag = command.tag();
        match command {
            Command::Begin => self.status = TransactionStatus::Transaction,
            Command::Commit | Command::Rollback => {
                if self.status == TransactionStatus::Error {
                    tag = "ROLLBACK";
                }
                if self.status == TransactionStatus::Idle {
                    let message = warning("there is no transaction in progress");
                    self.channel.say(message).await?;
                }
                self.status = TransactionStatus::Idle;
                self.portals.clear();
            }
            Command::Set(all) => {
                for (name, value) in all {
                    match value {
                        Some(value) => self.settings.set(name, value)?,
                        None => self.settings.reset(name),
                    }
                }
                self.tell(all.iter().map(|(name, _)| name.as_str())).await?;
            }
            Command::Reset(name) => {
                match name {
                    Some(name) => self.settings.reset(name),
                    None => self.settings.reset_all(),
                }
                self.tell(name.iter().map(String::as_str)).await?;
            }
            Command::DiscardAll => {
                self.statements.clear();
                self.portals.clear();
                self.settings.reset_all();
                self.tell([]).await?;
            }
            Command::Deallocate(Some(name)) => drop(self.statements.remove(name)),
            Command::Deallocate(None) => self.statements.clear(),
            Command::Show(_) => {
                let rows = command.rows(&self.settings)?;
                let fields = Arc::new(text_fields(&command.columns()));
                if describe {
                    let message = Say::RowDescription(described(&fields));
                    self.channel.say(message).await?;
                }
                self.text_rows(&fields, rows).await?;
            }
            Command::Mark(_) | Command::Unlisten => {}
        }
        self.done(tag.to_owned()).await
    }

    async fn text_rows(
        &mut self,
        fields: &Arc<Vec<FieldInfo>>,
        rows: Vec<Vec<String>>,
    ) -> Result<(), Failure> {
        let mut encoder = DataRowEncoder::new(Arc::clone(fields));
        for row in rows {
            for value in row {
                encoder.encode_field(&value).map_err(unshown)?;
            }
            self.channel.say(Say::DataRow(encoder.take_row())).await?;
        }
        Ok(())
    }

    /// Tells the connection, and the client, what was set.
    async fn tell(&mut self, names: impl IntoIterator<Item = &str>) -> Result<(), Failure> {
        self.settings.tell(&self.connection);
        let names: Vec<String> = names.into_iter().map(str::to_ascii_lowercase).collect();
        let told: Vec<(String, String)> = self
            .settings
            .told()
            .filter(|(shown, _)| names.contains(&shown.to_ascii_lowercase()))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (name, value) in told {
            self.told(name, value).await?;
        }
        Ok(())
    }
}
